"""What each claim says, in a sentence whose formulas a page can typeset (MyST, with LaTeX)."""

from collections.abc import Iterable

from wnlib.ledger import Claim

# Letters are those of the book's table of notation. A claim without an entry is told by its
# `statement`, in plain text.
SENTENCES = {
    "prop-lp-certificate": r"A dual vector with $A^\top y \le 1$ and $b^\top y = \lVert z\rVert_1$ "
    r"proves that $z$ has the smallest $\ell_1$ norm; if $A^\top y < 1$ off its support, where the "
    r"columns of $A$ are independent, no other solution has.",
    "prop-plain-descent": r"Gradient flow moves $\tilde x_n$ at the rate "
    r"$-L\, h_n\, \tilde x_n^{2-2/L}$, and its loss never increases.",
    "prop-plain-invariant": r"Gradient flow moves $\psi_L(\tilde x)$ by $-c_\psi A^\top e$; the "
    r"part of $\psi_L(\tilde x)$ in the kernel of $A$ is constant.",
    "lem-plain-bounded": r"For every solution $z$ the divergence $D(z, \tilde x)$ never exceeds "
    r"its first value, so $\tilde x$ is bounded; and it is where there is no solution.",
    "thm-plain-limit": r"Gradient flow converges to the solution of least divergence "
    r"$D(z, \beta)$ from the start; there $D = c_\psi \int \lVert e\rVert^2 dt$, and "
    r"$c_\psi\, t\, \lVert e\rVert^2$ is at most $D$ and tends to 0.",
    "thm-plain-l1": r"At its end $\lVert\tilde x_\infty\rVert_1 \le (1 + \varepsilon)\, Q$, where "
    r"$Q$ is the smallest $\ell_1$ norm and $\varepsilon$ is known at the start.",
    "prop-plain-best": r"The same with the best constants: for $L = 2$ the excess is at most "
    r"$w / \log(Q/\beta_1)$, and there are problems that come as near to it as one likes.",
    "prop-plain-shape": r"As the length $r_0$ of the start tends to 0, the limit minimizes "
    r"$\sum z_n / v_{0,n}^{L-2}$, for $L = 2$ up to a constant over $\log\frac1{r_0}$; of many "
    r"minimizers it takes that of largest $\sum z_n^{2/L}$, for $L = 2$ of smallest "
    r"$\sum z_n \log(z_n/v_{0,n}^2)$.",
    "lem-constant-norm": r"$u'$ is orthogonal to $u$, so $\lVert u\rVert$ is constant.",
    "lem-rescaled-rate": r"A direction variable of norm $\lVert u\rVert$ moves like one of norm 1 "
    r"whose learning rate is divided by $\lVert u\rVert^2$.",
    "lem-polar-dynamics": r"$r' = -\eta_r\, r^{L-1} \langle h, v^{\odot L}\rangle$, with an "
    r"equally explicit $v'$; and $r^2$ grows by at most $\tfrac12\eta_r \lVert b\rVert^2 t$.",
    "prop-effective-dynamics": r"$\tilde x' = -L\, B\, h$ with an explicit positive definite $B$: "
    r"the loss never increases.",
    "prop-wn-invariant": r"With $\kappa = r^{-1} e^{r^2/(2\tilde\eta)}$ the part of "
    r"$\psi_L(\kappa^L \tilde x)$ in the kernel of $A$ is constant.",
    "prop-wn-potential": r"$\psi_L(\kappa^L \tilde x)$ is the gradient of a strictly convex "
    r"$\Psi$, and $D_\Psi(z, \tilde x)$ falls for every solution $z$.",
    "prop-wn-converges": r"Weight normalization converges to a solution, or it stalls: $r \to 0$; "
    r"the latter if and only if $\lVert e\rVert > \lVert b\rVert$ at all times.",
    "cor-wn-minimizer": r"Unless it stalls, it ends at the solution of least divergence $D_\Psi$ "
    r"from the start.",
    "thm-magnification": r"It ends where gradient flow from $x_0/\rho^{1/L}$ ends, that is, from "
    r"$\beta/\rho$, and $\rho$ depends on $\tilde\eta$, $L$, $r_0$ and $r_\infty$ only.",
    "cor-wn-l1": r"So $\lVert\tilde x_\infty\rVert_1 \le (1 + \varepsilon)\, Q$ with $\beta/\rho$ "
    r"in place of $\beta$ in $\varepsilon$.",
    "prop-logarithmic-mean": r"$\log\rho = \tfrac L2 (R_\infty - R_0) (1/\tilde\eta - 1/\Lambda)$, "
    r"with $\Lambda$ the logarithmic mean of $R_0$ and $R_\infty$.",
    "prop-rho-bound": r"$R_\infty \ge Q^{2/L}$, and $\log\rho$ is at least what its formula says "
    r"at the squared length $\max(\tilde\eta, Q^{2/L})$.",
    "prop-sparse-slow": r"If the limit has a zero entry, then "
    r"$\int \lVert e\rVert\, dt = \infty$: the residual does not fall like $t^{-p}$ with any "
    r"$p > 1$.",
    "prop-certified-limit": r"For multipliers with the point $p$ and any solution $z$, "
    r"$D(z, p) = D(z, \tilde x_\infty) + D(\tilde x_\infty, p)$; this gap bounds the distance of "
    r"$z$ from the limit.",
    "prop-wn-limit": r"$\log\rho$ is the only root of a scalar equation, the difference of whose "
    r"sides increases at the rate $\min(1, R/\tilde\eta)$ or more.",
    "prop-entropy-bound": r"For $L = 2$ the relative excess of the norm is at most "
    r"$\tilde\eta\, \mathrm{KL} / (Q - R_0)$; a similar bound holds above, for a weighted norm.",
    "prop-stall": r"If $\lVert A x_0^{\odot L} - b\rVert \le \lVert b\rVert$, weight normalization "
    r"does not stall. A short start stalls if $\langle A^\top b, v_0^{\odot L}\rangle < 0$, and "
    r"not if it is positive.",
    "prop-no-stall": r"If $D_\Psi(z, \beta)$ is at most its value where the length vanishes, for "
    r"some solution $z$, weight normalization does not stall.",
    "lem-largest-support": r"The limit is positive exactly at the entries that are positive in "
    r"some solution.",
    "prop-exponential": r"Towards a positive limit $\lVert e\rVert$ falls like $e^{-\lambda t}$, "
    r"never slower, where $\lambda$ is the smallest positive eigenvalue of $L\, A B A^\top$.",
    "prop-power-law": r"If all solutions share a zero, $\lVert e\rVert$ falls as a constant times "
    r"$t^{-L/(2(L-1))}$; the constant knows neither start nor ratio.",
    "thm-schedules": r"Whatever its rates are over time, weight normalization stands where "
    r"gradient flow from $\beta/\rho$ ends, and $\log\rho$ is an integral over the way.",
    "prop-power-schedule": r"With $\eta_r = 1/c$ and $\eta_u = 1/r^2$ it does not stall, and "
    r"$\rho = (r_\infty/r_0)^{L(c-1)}$; $c = 1$ is the plain flow.",
    "prop-warm-up": r"A warm-up with a frozen direction scales the start, to any length on this "
    r"side of the frozen one. Where that is below $Q$, for $L = 2$, the bound for small ratios "
    r"holds; where it is not, the limit stays long.",
    "prop-crossover": r"If some solution is as long as the start: as $\tilde\eta \to 0$, the "
    r"squared length of the limit tends to the larger one of $R_0$ and $R^*$. If $R_0 > R^*$, the "
    r"limit is the cheapest solution as long as the start.",
    "prop-wn-shape": r"For $L > 2$, if $\tau < 1$ and $\tilde\eta \le R^*$, the weighted norm of "
    r"the limit exceeds the smallest by a share of at most $(1 - \theta)\,\tau/(1 - \tau)$, with "
    r"$\tau$ exponentially small in $1/\tilde\eta$.",
    "prop-shape-threshold": r"The shortest solution minimizes all norms whose weights differ by "
    r"less than the factor that its certificate tolerates, and tiny starts of such a shape lead "
    r"to it.",
    "obs-wider-range": r"With $\tilde\eta \le \theta Q/20$, $\theta$ the slack of the certificate, "
    r"weight normalization is accurate from all starts with $r_0^2 \le Q/2$ from which it does not "
    r"stall, and gradient flow not from half of that scale.",
    "obs-hundred-thousand": r"At $\alpha = 0.1$, if $r_0^2 \le Q/4$, gradient flow is then more "
    r"than $10^5$ times as far off as weight normalization, in the limit.",
    "lem-two-halves": r"The mean $m(z_+, z_-)$ of the two halves of a signed problem is that of "
    r"the start over $\rho$, and their overlap at most $\frac2\rho \sum m(\beta_+, \beta_-)$.",
    "obs-signed": r"With a signed truth and $2N$ weights the same holds, with the smallest norm "
    r"$Q$ of signed solutions.",
    "thm-effective-start": r"Gradient descent that converges ends exactly where gradient flow from "
    r"an *effective start* does; below the largest stable step that start is positive.",
    "thm-wn-effective-start": r"So does gradient descent with weight normalization, from the "
    r"effective start over $\rho$.",
    "prop-drift": r"Each step increases $\lVert u\rVert^2$ by the squared step times "
    r"$\lVert u'\rVert^2$; over a fixed time the invariant drifts in proportion to the step.",
    "prop-largest-step": r"Next to a positive solution, descent settles if the step is below "
    r"$2/\lambda$, where $\lambda$ is the largest eigenvalue of $L\, A B A^\top$, and does not if "
    r"it is above.",
    "obs-wn-follows-lp": r"On Gaussian problems weight normalization finds the signal where the "
    r"linear program does, if that is not too close a call for its ratio, and misses it where that "
    r"misses it; gradient descent, larger ratios and long starts do not.",
    "obs-gd-positivity": r"From starts of moderate size gradient descent finds a nonnegative "
    r"signal of a Gaussian problem where no other nonnegative solution exists, and misses it where "
    r"the linear program has little slack.",
    "obs-reach": r"Where the signal is the shortest solution but not the only one, the start "
    r"at most half as long and $\tilde\eta \le Q/10$, weight normalization ends nearer to it than "
    r"gradient descent, by about $\rho^\theta$, $\theta$ the slack of the best certificate.",
    "obs-faster": r"From one start of scale 0.1, for $L = 2$ and each with half of its largest "
    r"stable step, weight normalization needs fewer steps than gradient descent to the second "
    r"digit of the error, and more to that of the loss, if the signal is clearly the shortest "
    r"solution.",
    "obs-best-start": r"Each from its best start, to the second digit of the error: for $L = 2$ "
    r"gradient descent needs fewer steps than weight normalization with $\tilde\eta = 0.1$; for "
    r"$L = 3$ that, with the best of three ratios, needs at most twice as many as gradient "
    r"descent, which a start three times smaller costs more than twice as many.",
    "prop-average": r"The correlations of the average of $\tilde x$ in the flow's clock are a "
    r"penalty minus a slack, at all times; for $L = 2$ the penalty is their soft maximum.",
    "cor-lasso-gap": r"These correlations are feasible for the dual of the Lasso, for $L = 2$ at a "
    r"penalty that exceeds the soft maximum by a bounded share; the duality gap of the average is "
    r"bounded by what it remembers of its start.",
    "thm-own-certificate": r"From equal weights, $L > 2$, the summed residuals make a $y$ with "
    r"$1 - A^\top y = (\delta/\tilde x)^\gamma$ at all times, $\delta = \beta/\rho$. So "
    r"$b^\top y \le Q$, and at the end the gap is exactly $\delta^\gamma R_\infty$, which falls "
    r"exponentially in $1/\tilde\eta$ from short starts.",
    "thm-deep-path": r"As depth grows, limits from equal effective weights tend to the central "
    r"path of the linear program, at the rate $1/L$: with gradient flow at $\delta = \beta$, with "
    r"weight normalization at a $\delta$ that $\tilde\eta$ determines.",
    "prop-two-projections": r"From a point of small enough gap, whose products of entry and slack "
    r"are not too unequal, the support can be read off, and two projections give a shortest "
    r"solution and its proof.",
    "prop-ratio-monotone": r"With each ratio the length moves to the side to which gradient flow "
    r"moves it; the smaller the ratio, the less it changes. Where it grows, $\rho$ grows as "
    r"$\tilde\eta$ falls; where it shrinks, $\rho$ falls.",
    "prop-ratio-crossing": r"With $\tilde\eta = \Lambda(R_0, R_{\mathrm{GF}})$ weight "
    r"normalization ends exactly where gradient flow does. Where the length grows, smaller ratios "
    r"end shorter, larger ones longer.",
    "obs-ratio": r"On Gaussian problems with the signal for the shortest solution, from even "
    r"starts that gradient flow makes longer, the error falls with the ratio; it is below that of "
    r"gradient flow exactly if $\tilde\eta < \Lambda(R_0, R_{\mathrm{GF}})$.",
    "obs-best-ratio": r"At a given time the ratio at which the exponents of the error on and off "
    r"the support agree is better than a third of it, and than three times it.",
    "obs-error-and-loss": r"By the time $25/\lambda$ both losses are below a thousandth of their "
    r"first values, and, if the certificate leaves $(Q - R_0)(1 - \max f) \ge 12\,\tilde\eta$, "
    r"the error of weight normalization is below a thousandth of that of gradient descent.",
    "lem-memory": r"At depth 2 $R' = 2\tilde\eta\, c R$, and "
    r"$v_n^2 = v_n(0)^2 e^{a_n/\tilde\eta}$ with $a_n = \int (f_n - 1)\, dR$; the largest $a_n$ is "
    r"never negative, and none exceeds $\tilde\eta \log(1/v_n(0)^2)$.",
    "obs-law": r"With the ratio $Q/200$ the flow is within 20 % of $Q$ of the law, in the mean "
    r"over the way, and its distance is less than 70 % of that with $Q/50$.",
    "prop-last-stretch": r"$\log\frac R{Q - R}$ grows at the rate $\lambda(1 + \delta)$ with an "
    r"explicit $\delta$, which is 0 where the direction is the best of its length on the support.",
    "obs-depth": r"From starts with $R_0 \le R^*/2$ and with $\tilde\eta \le R^*/10$ weight "
    r"normalization ends nearer to the signal than gradient flow, at each depth, if the signal "
    r"minimizes the norm that the shape of the start weights.",
    "prop-deeper-lower": r"The even start as long as the weights at $z^\star$ has the effective "
    r"weights $\beta^*(L) = (\frac1N \sum z_n^{2/L})^{L/2}$; a layer lowers them by $\sqrt{s/N}$ "
    r"or more, while $\alpha^*(L)$ falls or rises with the units of the signal.",
    "obs-smaller-start": r"From even starts of the same effective weights, between $\beta^*(L')$ "
    r"and $\beta^*(L)$, the shallower network finds the signal and the deeper one does not.",
    "prop-escape": r"The first weight reaches $X$ between the least $w(x_{0,n})/(c_n + \delta_n)$ "
    r"and the least $w(x_{0,n})/(c_n - \delta_n)$, which grow like $\alpha^{-(L-2)}$ for small "
    r"starts; weight normalization waits at least $1/\tilde\eta$ times as long.",
    "obs-sparsity": r"From a start with $R_0 \le Q'/2$ and $\tilde\eta \le Q/40$, a signal of norm "
    r"$Q$ has a larger $\log\rho$ than half of it, of norm $Q'$, by nearly $(Q - Q')/\tilde\eta$; "
    r"while the linear program is sure of the signal, weight normalization is ten times as "
    r"near to it as gradient flow.",
    "obs-hubble": r"On pieces of a picture of galaxies, $\tilde\eta \le Q/40$ and $R_0 \le Q/2$: "
    r"weight normalization ends within a fiftieth of the smallest $\ell_1$ norm, and ten "
    r"times as near to the picture as gradient flow if the linear program is sure of it.",
    "obs-camera": r"Stars in at most one pixel of sixteen, through a scrambled cosine transform "
    r"with $M \ge 0.4\, N$: the smallest norm is proven to $10^{-8}$, and, if it is that of one "
    r"picture only, nearer to the truth by 20 dB than the shortest solution; weight normalization "
    r"of depth 2 with $\tilde\eta$ near $Q/40$ and $R_0 \le Q/2$ ends within a fiftieth of it.",
}


def sentence(claim: Claim) -> str:
    """Return what a claim says: typeset where :data:`SENTENCES` has it, else its statement."""
    plain = claim.statement.replace("\\", "\\\\")
    for mark in "_*^|<>[]$":
        plain = plain.replace(mark, f"\\{mark}")
    return SENTENCES.get(claim.label, plain)


def listed(claims: Iterable[Claim]) -> str:
    """Return a MyST list: for each claim the number of its statement, and its sentence."""
    return "\n".join(f"- {{prf:ref}}`{claim.label}`. {sentence(claim)}" for claim in claims)
