package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mdp/bench"
)

type compareOptions struct {
	*app
	within float64 // percent
	json   bool
	all    bool
}

func newBenchCompareCmd(a *app) *cobra.Command {
	o := compareOptions{app: a}
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Tell of each configuration of two tables whether B is as fast as A",
		Long: `Compares two latency tables, files or the folders they are in, row by row: SAME
where the 95 % interval of the ratio of medians lies within the tolerance,
FASTER or SLOWER where it lies beyond it, UNCLEAR where it does not tell. Of
thousands of intervals some lie beyond by chance: rows are FASTER or SLOWER as
long as about one in twenty of them is so by chance, the others UNCLEAR. The
rows farthest from one come first; --json has all.`,
		Example: `  mdp bench compare tables/today tables/yesterday
  mdp bench compare tables/today tables/yesterday --within 5 --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return runBenchCompare(o, args[0], args[1]) },
	}
	cmd.Flags().Float64Var(&o.within, "within", 1, "tolerance, percent")
	cmd.Flags().BoolVar(&o.all, "all", false, "print every row")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

func runBenchCompare(o compareOptions, a, b string) error {
	if !(o.within > 0 && o.within < 100) {
		return usageError{fmt.Errorf("--within %g: want a share of a row, above 0 and below 100 percent", o.within)}
	}
	c := comparison{all: o.all}
	var rows [2][]bench.Row
	for i, path := range []string{a, b} {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			path = filepath.Join(path, "latency.jsonl")
		}
		h, r, err := bench.ReadTable(path)
		if err != nil {
			return err
		}
		c.Tables[i], rows[i] = comparedTable{path, h.Model, h.Backend, h.Batch}, r
	}
	c.Compared = bench.Compare(rows[0], rows[1], o.within/100)
	if len(c.Rows) == 0 {
		return fmt.Errorf("%s and %s have no configuration in common", c.Tables[0].Path, c.Tables[1].Path)
	}
	return o.print(c, o.json)
}

type comparison struct {
	Tables [2]comparedTable `json:"tables"`
	bench.Compared
	all bool
}

type comparedTable struct {
	Path    string `json:"path"`
	Machine string `json:"machine"`
	Backend string `json:"backend"`
	Batch   int    `json:"batch"`
}

const mostCompared = 12 // rows that are printed unless all are

func (c comparison) writeText(w io.Writer) error {
	for i, t := range c.Tables {
		fmt.Fprintf(w, "%c  %s: %s, %s, batch %d\n", 'A'+i, t.Path, t.Machine, t.Backend, t.Batch)
	}
	fmt.Fprintln(w)
	rows := [][]string{{"B/A", "95 %", "A µs", "verdict", "configuration"}}
	for i, r := range c.Farthest() {
		if i == mostCompared && !c.all {
			break
		}
		rows = append(rows, []string{fmt.Sprintf("%.3f", r.Ratio), fmt.Sprintf("%.3f–%.3f", r.Low, r.High),
			fmt.Sprintf("%.1f", float64(r.ANS)/1e3), string(r.Verdict), short(r.Key)})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	var counts []string
	for _, v := range []bench.Verdict{bench.Same, bench.Faster, bench.Slower, bench.Unclear} {
		counts = append(counts, fmt.Sprintf("%d %s", c.Counts[v], v))
	}
	_, err := fmt.Fprintf(w, "\n%d rows: %s\nB takes %.3f of A's time in geometric mean; %.0f %% of the rows agree within %g %%\n",
		len(c.Rows), strings.Join(counts, ", "), c.Ratio, 100*c.Agree, 100*c.Within)
	if c.Only != [2]int{} {
		_, err = fmt.Fprintf(w, "%d rows are in A alone, %d in B alone\n", c.Only[0], c.Only[1])
	}
	return err
}

// short is a key for people: without the batch, which is the table's, the size of
// what is written, which follows, and what most convolutions have.
func short(key string) string {
	call, shape, _ := strings.Cut(key, "/")
	words := []string{strings.Replace(call, "_forward", "", 1)}
	for _, w := range strings.Split(shape, "_") {
		if !slices.Contains([]string{"s1x1", "d1x1", "g1"}, w) && !strings.HasPrefix(w, "n") && !strings.HasPrefix(w, "o") {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}
