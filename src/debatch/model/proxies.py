"""How far vectors are from learned proxies of what they are of, and how near to those of others."""

from torch import Tensor
from torch.nn import functional


def proxy_loss(embeddings: Tensor, proxies: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean over vectors of - log softmax over all proxies of - squared distance / temperature, of the own class's.

    Args:
        embeddings: (N, D), of any length.
        proxies: (K, D), of any length.
        labels: (N,) which of the proxies is a vector's own.
        temperature: of the softmax.

    Source: CHAMMI, appendix B.3, first equation.
    """
    cosines = functional.normalize(embeddings.float(), dim=1) @ functional.normalize(proxies.float(), dim=1).T
    # of two vectors of length 1 the squared distance is 2 - 2 cosine
    return functional.cross_entropy((2 * cosines - 2) / temperature, labels)
