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
    "thm-effective-start": r"Gradient descent that converges ends exactly where gradient flow from "
    r"an *effective start* does; below the largest stable step that start is positive.",
    "thm-wn-effective-start": r"So does gradient descent with weight normalization, from the "
    r"effective start over $\rho$.",
    "prop-drift": r"Each step increases $\lVert u\rVert^2$ by the squared step times "
    r"$\lVert u'\rVert^2$; over a fixed time the invariant drifts in proportion to the step.",
    "prop-largest-step": r"Next to a positive solution, descent settles if the step is below "
    r"$2/\lambda$, where $\lambda$ is the largest eigenvalue of $L\, A B A^\top$, and does not if "
    r"it is above.",
    "prop-average": r"The correlations of the average of $\tilde x$ in the flow's clock are a "
    r"penalty minus a slack, at all times; for $L = 2$ the penalty is their soft maximum.",
    "cor-lasso-gap": r"These correlations are feasible for the dual of the Lasso, for $L = 2$ at a "
    r"penalty that exceeds the soft maximum by a bounded share; the duality gap of the average is "
    r"bounded by what it remembers of its start.",
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
