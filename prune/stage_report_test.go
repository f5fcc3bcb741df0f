package prune

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/bench"
	"mdp/engine/nets"
	"mdp/prune/report"
)

// TestReportOfWhatIsNotARun: files of another network or damaged ones are an error.
func TestReportOfWhatIsNotARun(t *testing.T) {
	p, _, _ := stages(t, t.TempDir(), quick())
	for _, csv := range []string{"", "latency_ns,importance\n", "1\n2\n"} {
		require.NoError(t, os.WriteFile(p.Path("frontier.csv"), []byte(csv), 0o644))
		require.Error(t, p.tellFront(&report.Run{}), "%q", csv)
	}

	g, err := nets.Build("resnet8-cifar", nets.Options{})
	require.NoError(t, err)
	other, err := nets.Build("resnet14-cifar", nets.Options{})
	require.NoError(t, err)
	coupling, err := Couple(other)
	require.NoError(t, err)
	require.NoError(t, p.Write("graph.json", g.Write))
	for _, b := range p.Config.Budgets {
		require.NoError(t, p.WriteJSON(filepath.Join(b, "choice.json"), Full(coupling)))
		require.NoError(t, p.Write(filepath.Join(b, "graph.json"), other.Write))
	}
	require.ErrorContains(t, p.tellLayers(&report.Run{}), "the choice is for")
}

// TestReportTellsOfTheMachineThatMeasured, which is not the one that reports.
func TestReportTellsOfTheMachineThatMeasured(t *testing.T) {
	p, _, _ := stages(t, t.TempDir(), quick())
	require.NoError(t, p.openDevice())
	h, err := bench.NewHeader(p.Backend, 1, bench.CallRule())
	require.NoError(t, err)
	h.Backend, h.ISA, h.Threads, h.CPU = "cpu avx9, 77 threads", "avx9", 77, "another"
	table, err := bench.OpenTable(p.Path("latency.jsonl"), h)
	require.NoError(t, err)
	require.NoError(t, table.Close())
	var r report.Run
	require.NoError(t, p.tellMachine(&r))
	require.Equal(t, report.Machine{Device: "cpu", CPU: "another", Threads: 77, ISA: "avx9", OS: h.OS, Version: h.Build, Go: h.Go}, r.Machine)
	require.Equal(t, "mdp: resnet8-cifar pruned on cpu avx9, 77 threads", r.Title)
}

// TestReportLeavesOutOldBudgets: a folder remembers the steps of budgets that
// the run no longer has.
func TestReportLeavesOutOldBudgets(t *testing.T) {
	p, _, _ := stages(t, t.TempDir(), quick())
	for _, name := range []string{"extract/0.8x", "train", "extract/0.7x"} {
		p.records[name] = record{Seconds: 1}
	}
	var r report.Run
	require.NoError(t, p.tellSteps(&r))
	require.Equal(t, []report.StepTime{{Name: "train", Seconds: 1}, {Name: "extract/0.8x", Seconds: 1}}, r.Steps)
}
