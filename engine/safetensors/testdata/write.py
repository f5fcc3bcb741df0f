# Writes peer.safetensors with the format's own package: every type that is read, and what metadata may hold.
import torch
from safetensors.torch import save_file

one = torch.arange(6, dtype=torch.float32).reshape(1, 2, 3) - 2.5
save_file(
    {
        "single": one,
        "half": one.half(),
        "brain": one.bfloat16(),
        "double": one.double(),
        "scalar": torch.tensor(0.1),
        "bn1.num_batches_tracked": torch.tensor(-7),
        "größe": torch.tensor([1 << 40, -1]),
    },
    __file__.replace("write.py", "peer.safetensors"),
    {"format": "pt", "who": '"quoted"\n€'},
)
