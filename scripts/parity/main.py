"""The checks of scripts/parity/run. Each adds rows to the table; a row is a number with the bound it must keep."""

import contextlib, io, json, os, platform, re, shutil, subprocess, sys, tempfile, warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np
import onnx, onnxruntime, timm, torch, torchvision
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent))
from golden import Mixed, SmallResNet, golden
from models import MODELS, OTHERS, WHY, away_from_kinks, images, make, shaken

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results" / "parity.json"
MDP = ROOT / "bin" / "mdp"
rows = []


def row(check, model, error, bound, note=""):
    rows.append({"check": check, "model": model, "error": error, "bound": bound, "ok": error is None or bool(error <= bound), "note": note})
    r = rows[-1]
    print(f"{check:24} {model:34} {'–' if error is None else f'{error:.1e}':>8}  {'' if r['ok'] else 'MISSED  '}{note}", flush=True)


def relative(have, want):
    """The largest difference, of the largest element."""
    have, want = np.asarray(have, np.float64), np.asarray(want, np.float64)
    assert have.shape == want.shape, f"shapes {have.shape} and {want.shape}"
    return float(np.abs(have - want).max() / np.abs(want).max())


def mdp(*args, **kw):
    return subprocess.run([MDP, *map(str, args)], check=True, capture_output=True, text=True, **kw).stdout


def run_ours(model, x, folder):
    """What mdp run computes."""
    np.save(folder / "x.npy", x.numpy())
    mdp("run", model, "--input", folder / "x.npy", "--output", folder / "y.npy")
    return np.load(folder / "y.npy")


def run_onnx(path, x):
    session = onnxruntime.InferenceSession(str(path))
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


def write_case(folder, model, net, x, labels=None, state="state.pth", width=1, half=False):
    """A folder for TestParity, with what PyTorch computes."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: (v.half() if half and v.is_floating_point() else v.clone()).contiguous() for k, v in model.state_dict().items()}
    save_file(weights, folder / state) if state.endswith("safetensors") else torch.save(weights, folder / state)
    with torch.no_grad():
        batch = {"images": x, "logits": model.eval()(x)}
    if labels is not None:
        loss = torch.nn.functional.cross_entropy(model.train()(x), labels)
        loss.backward()
        batch |= {"labels": labels, "loss": loss.detach()}
        batch |= {"grad." + k: p.grad for k, p in model.named_parameters()}
        batch |= {"after." + k: b for k, b in model.named_buffers() if "running" in k}
    save_file({k: v.contiguous() for k, v in batch.items()}, folder / "batch.safetensors")
    (folder / "case.json").write_text(json.dumps({"net": net, "width": width, "state": state}) + "\n")


def go_test(name, folder):
    """Runs a test of engine/pytorch that reads or writes in a folder."""
    binary = ROOT / "bin" / "parity.test"
    if not go_test.built:
        subprocess.run(["go", "test", "-c", "-o", binary, "./engine/pytorch"], cwd=ROOT, check=True)
        go_test.built = True
    return subprocess.run([binary, "-test.run", f"^{name}$"], cwd=ROOT / "engine" / "pytorch", env=os.environ | {"MDP_PARITY": str(folder)}, capture_output=True, text=True)


go_test.built = False


def compare_cases(folder):
    """Runs TestParity over the cases of a folder and returns its results; what it finds wrong is in them."""
    out = go_test("TestParity", folder)
    for case in sorted(p.parent for p in folder.glob("*/case.json")):
        if not (case / "result.json").exists():
            print(out.stdout[-4000:], file=sys.stderr)
            raise SystemExit(f"{case.name} came to nothing")
        yield case, json.loads((case / "result.json").read_text())
        shutil.rmtree(case)


def weights(tmp):
    """State dicts through mdp import's reader: the network's outputs."""
    for library, name, net, size in MODELS:
        if not net:
            row("state dict", f"{library} {name}", None, 1e-4, WHY[name])
            continue
        write_case(tmp / "case", make(library, name), net, images(2, size))
        for _, r in compare_cases(tmp):
            row("state dict", f"{library} {name}", r["logits"], 1e-4)


# Images (batch, size, seed) for which no ReLU reads anything within 3e-5 of zero in float64; see away_from_kinks.
STEPS = {"resnet18": (8, 64, 106), "resnet50": (8, 32, 109)}


def gradients(model, x, labels):
    loss = torch.nn.functional.cross_entropy(model.train()(x), labels)
    return dict(zip((k for k, _ in model.named_parameters()), torch.autograd.grad(loss, model.parameters())))


def training(tmp):
    """One training step"""
    for name, (n, size, seed) in STEPS.items():
        x, labels = images(n, size, seed=seed), torch.randint(0, 1000, (n,), generator=torch.Generator().manual_seed(3))
        model = lambda: away_from_kinks(make("torchvision", name))
        single, double = gradients(model(), x, labels), gradients(model().double(), x.double(), labels)
        floor = 1e-3 * max(float(g.abs().max()) for g in double.values())  # see parityResult in engine/pytorch
        own = max(float((single[k] - double[k]).abs().max() / max(double[k].abs().max(), floor)) for k in double)
        write_case(tmp / "case", model(), name, x, labels)
        for _, r in compare_cases(tmp):
            row("training step: loss", "torchvision " + name, r["loss"], 1e-3)
            row("training step: gradients", "torchvision " + name, r["gradients"], 1e-3, f"worst: {r['gradient']}; PyTorch's own float32 and float64 differ by {own:.1e}")
            row("training step: statistics", "torchvision " + name, r["statistics"], 1e-3, "worst: " + r["statistic"])


def convert(model, x, path, dynamo=True, opset=None):
    """Writes a model as ONNX with PyTorch's exporter, or its older one."""
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(model, (x,), path, dynamo=dynamo, opset_version=opset or (18 if dynamo else 13), verbose=False)


def onnx_in(tmp):
    """Models that PyTorch exports as ONNX, through mdp run"""
    older = ["resnet18", "mobilenet_v3_small", "densenet121"]
    for library, name, _, size in MODELS:
        for dynamo in [True] + [False] * (library == "torchvision" and name in older):
            model, x = make(library, name), images(2, size)
            for old in tmp.iterdir():
                old.unlink()
            convert(model, x, tmp / "model.onnx", dynamo)
            check = "ONNX in, " + ("torch.export" if dynamo else "TorchScript")
            try:
                have = run_ours(tmp / "model.onnx", x, tmp)
            except subprocess.CalledProcessError as e:
                operators = sorted(set(re.findall(r"\((\w+)\): this operator", e.stdout)))
                row(check, f"{library} {name}", None if name == "convnext_tiny" else float("inf"), 1e-4, "refused for its " + ", ".join(operators))
                continue
            with torch.no_grad():
                row(check, f"{library} {name}", relative(have, model(x).numpy()), 1e-4)


def others(tmp):
    """Models that nothing here was written for, as PyTorch's older exporter writes them"""
    for library, name, size, refused in OTHERS:
        model, x = make(library, name), images(2, size)
        convert(model, x, tmp / "model.onnx", dynamo=False)
        try:
            with torch.no_grad():
                row("ONNX in, TorchScript", f"{library} {name}", relative(run_ours(tmp / "model.onnx", x, tmp), model(x).numpy()), 1e-4)
        except subprocess.CalledProcessError as e:
            operators = ", ".join(sorted(set(re.findall(r"\((\w+)\): ", e.stdout))))
            row("ONNX in, TorchScript", f"{library} {name}", None if refused else float("inf"), 1e-4, f"refused for {len(e.stdout.splitlines())} nodes: {operators}")


def opsets(tmp):
    """A network of what exporters spell in most ways, in every opset that they write"""
    torch.manual_seed(0)
    model, x = shaken(Mixed()).eval(), images(2, 13)[:, :, :, :11].contiguous()
    with torch.no_grad():
        want = model(x).numpy()
    for dynamo, first, last in [(False, 7, 20), (True, 18, 23)]:
        for opset in range(first, last + 1):
            convert(model, x, tmp / "model.onnx", dynamo, opset)
            assert [o.version for o in onnx.load(tmp / "model.onnx").opset_import if o.domain == ""] == [opset]
            row(f"ONNX in, opset {opset}", "torch.export" if dynamo else "TorchScript", relative(run_ours(tmp / "model.onnx", x, tmp), want), 1e-4)


def load_source(folder):
    """The model that model.py makes."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(folder / "model.safetensors")


def exports(tmp):
    """Models that went in and out again, in ONNX Runtime and PyTorch."""
    for library, name, net, size in MODELS:
        if not net:
            continue
        model, x = make(library, name), images(2, size)
        torch.save(model.state_dict(), tmp / "state.pth")
        mdp("import", tmp / "state.pth", "--net", net, "--out", tmp / "model")
        with torch.no_grad():
            want = model(x).numpy()
        for form, flags, bound in [("folded", [], 1e-4), ("with norms", ["--keep-norms"], 1e-4), ("batch of 2", ["--batch", "2"], 1e-4), ("fp16", ["--fp16"], 2e-2)]:
            mdp("export", tmp / "model", "--onnx", tmp / "out.onnx", *flags)
            onnx.checker.check_model(onnx.load(tmp / "out.onnx"), full_check=True)
            row(f"export: ONNX {form}", f"{library} {name}", relative(run_onnx(tmp / "out.onnx", x), want), bound)
        mdp("export", tmp / "model", "--pytorch", tmp / "source")
        with torch.no_grad():
            row("export: model.py", f"{library} {name}", relative(load_source(tmp / "source")(x), want), 1e-4)
        theirs, ours = model.state_dict(), load_file(tmp / "source" / "model.safetensors")
        if library == "torchvision":
            assert all(torch.equal(v, theirs[k]) for k, v in ours.items()) and len(ours) == sum("num_batches" not in k for k in theirs)


def every(tmp):
    """The source that the tests hold WriteSource to, on a network with every operation."""
    go_test("TestEverySource", tmp).check_returncode()
    batch = load_file(tmp / "batch.safetensors")
    with torch.no_grad():
        row("export: model.py", "a network of every operation", relative(load_source(tmp)(batch["images"]), batch["outputs"]), 1e-4)
    row("export: ONNX folded", "a network of every operation", relative(run_onnx(tmp / "model.onnx", batch["images"]), batch["outputs"]), 1e-4)


def pruned(tmp):
    """A pruned ResNet-50 in every form that is handed out"""
    model, x = make("torchvision", "resnet50"), images(2, 64)
    torch.save(model.state_dict(), tmp / "dense.pth")
    mdp("import", tmp / "dense.pth", "--net", "resnet50", "--size", 64, "--out", tmp / "dense")
    mdp("prune", "--no-train", "--weights", tmp / "dense", "--budget", "0.5x", "--run", tmp / "run", "--step", 128, "--latency-batch", 1, "--quiet")
    mdp("export", tmp / "run", "--onnx", tmp / "small.onnx", "--safetensors", tmp / "small.safetensors", "--pytorch", tmp / "source")
    kept = tmp / "small.safetensors.kept.json"
    mdp("import", tmp / "small.safetensors", "--net", "resnet50", "--kept", kept, "--size", 64, "--out", tmp / "small")
    with torch.no_grad():
        source = load_source(tmp / "source")(x).numpy()
    compared = [("ONNX Runtime", run_onnx(tmp / "small.onnx", x)), ("mdp run, its ONNX", run_ours(tmp / "small.onnx", x, tmp)), ("mdp run, back by its safetensors", run_ours(tmp / "small", x, tmp))]
    k = json.loads(kept.read_text())
    note = f"; {sum(p.numel() for p in load_file(tmp / 'small.safetensors').values()) / 1e6:.1f} M numbers, {len(k['removed'])} layers gone"
    for what, have in compared:
        row("pruned: " + what, "torchvision resnet50", relative(have, source), 1e-4, "against model.py in PyTorch" + note)
        note = ""
    # What a PyTorch user makes of the dense state dict and the kept indices alone.
    dense, small, same = model.state_dict(), load_file(tmp / "small.safetensors"), 0
    for name, t in small.items():
        layer = k["layers"][name.rpartition(".")[0]]
        cut = dense[name][layer["out"]]
        if name.endswith("weight") and layer["in"] is not None:
            cut = cut[:, layer["in"]]
        same += torch.equal(cut, t)
    row("pruned: dense tensors at the kept indices", "torchvision resnet50", float(len(small) - same), 0, f"{same} of {len(small)} tensors equal")


def end_to_end(tmp):
    """A network trained on Fashion-MNIST in PyTorch, pruned with mdp prune --onnx: 10,000 predictions each"""
    data = Path(subprocess.run([ROOT / "scripts" / "data"], check=True, capture_output=True, text=True).stdout.split()[-1])
    read = lambda name, skip: torch.frombuffer(bytearray((data / name).read_bytes()[skip:]), dtype=torch.uint8)
    mean, std = 0.286, 0.353
    prepare = lambda name: (read(f"{name}-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28).float() / 255 - mean) / std
    x, labels, test, truth = prepare("train"), read("train-labels-idx1-ubyte", 8).long(), prepare("t10k"), read("t10k-labels-idx1-ubyte", 8).long()
    torch.manual_seed(0)
    model = SmallResNet(planes=8, channels=1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    for batch in torch.randperm(len(x))[:51200].split(128):
        loss = torch.nn.functional.cross_entropy(model(x[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    torch.onnx.export(model, (test[:1],), tmp / "model.onnx", dynamo=False, opset_version=13, input_names=["image"], dynamic_axes={"image": {0: "batch"}})
    mdp("prune", "--onnx", tmp / "model.onnx", "--data", data, "--normalise", f"{mean}/{std}", "--budget", "0.5x", "--run", tmp / "run", "--latency-batch", 16, "--crop", 0, "--quiet")
    mdp("export", tmp / "run", "--onnx", tmp / "small.onnx", "--pytorch", tmp / "source")
    mdp("export", tmp / "run", "--budget", "dense", "--onnx", tmp / "dense.onnx")
    mdp("import", tmp / "small.onnx", "--out", tmp / "small")
    eval_rows = json.loads((tmp / "run" / "eval.json").read_text())
    for name, torch_model, files, kind in [("dense", model, [tmp / "model.onnx", tmp / "dense.onnx"], "dense"), ("pruned to 0.5x and fine-tuned", load_source(tmp / "source"), [tmp / "small.onnx"], "fine-tuned")]:
        with torch.no_grad():
            want = torch_model(test).argmax(1)
        right = int((want == truth).sum())
        ours = round(next(r["accuracy"] for r in eval_rows if r["name"] == kind) * len(truth))
        row("end to end: right in mdp eval", name, float(abs(ours - right)), 0, f"{ours} there, {right} of {len(truth)} in PyTorch")
        for file in files:
            for who, have in [("ONNX Runtime", run_onnx(file, test)), ("mdp run", run_ours(file, test, tmp))]:
                row("end to end: other predictions", name, float((torch.from_numpy(have).argmax(1) != want).sum()), 0, f"{who}, {file.name}")


CHECKS = {f.__name__: f for f in [weights, training, onnx_in, others, opsets, exports, every, pruned, end_to_end]}


def write_results(checks):
    """Rows of checks that were not run stay."""
    old = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else {}
    done = {name: rows_of[name] if name in rows_of else old.get(name, []) for name in checks}
    about = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__, "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "python": platform.python_version()}
    RESULTS.write_text(json.dumps({"versions": about, "rows": done}, indent=1) + "\n")
    text = "# Parity\n\nWritten by `scripts/parity/run` with " + ", ".join(f"{k} {v.split('+')[0]}" for k, v in about.items()) + ".\n"
    text += "An error is the largest difference in a tensor, of its largest element; weights are random, batch-norm statistics too.\n"
    for name, found in done.items():
        if not found:
            continue
        text += f"\n## {CHECKS[name].__doc__.rstrip('.')}\n\n| check | model | error | bound | |\n|---|---|---:|---:|---|\n"
        for r in found:
            error = "–" if r["error"] is None else f"{r['error']:.1e}"
            text += f"| {r['check']} | {r['model']} | {error} | {r['bound']:.0e} | {'' if r['ok'] else '**missed** '}{r['note']} |\n"
    RESULTS.with_suffix(".md").write_text(text)


if __name__ == "__main__":
    if sys.argv[1:] == ["golden"]:
        golden(ROOT, write_case, save_file)
        raise SystemExit
    names = sys.argv[1:] or list(CHECKS)
    rows_of = {}
    for name in names:
        rows = []
        with tempfile.TemporaryDirectory(prefix="mdp-parity-") as tmp:
            CHECKS[name](Path(tmp))
        rows_of[name] = rows
    write_results(CHECKS)
    missed = [r for rs in rows_of.values() for r in rs if not r["ok"]]
    raise SystemExit(f"{len(missed)} bounds missed" if missed else 0)
