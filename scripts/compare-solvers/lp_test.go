package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/prune/solve"
)

// program is a linear program read back: rows of factors by column.
type program struct {
	rows  map[string]map[string]int64
	sense map[string]string
	right map[string]int64
}

var (
	rowHead = regexp.MustCompile(`(?m)^ (\w+):`)
	factor  = regexp.MustCompile(`([-+]) (\d+) ([xyz][\d_]+)`)
	limitOf = regexp.MustCompile(`(<=|=) (-?\d+)\s*$`)
)

func readLP(t *testing.T, p *solve.Problem, budgets []int64) program {
	t.Helper()
	file := filepath.Join(t.TempDir(), "p.lp")
	require.NoError(t, writeLP(file, p, budgets))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	text, _, found := strings.Cut(string(b), "Binary\n")
	require.True(t, found)
	text = strings.ReplaceAll(text, "Subject To\n", "")
	lp := program{map[string]map[string]int64{}, map[string]string{}, map[string]int64{}}
	heads := rowHead.FindAllStringSubmatchIndex(text, -1)
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		name, body := text[h[2]:h[3]], text[h[1]:end]
		row := map[string]int64{}
		for _, m := range factor.FindAllStringSubmatch(strings.ReplaceAll(strings.ReplaceAll(body, "= z", "= + 1 z"), ": z", ": + 1 z"), -1) {
			v, err := strconv.ParseInt(m[2], 10, 64)
			require.NoError(t, err)
			if m[1] == "-" {
				v = -v
			}
			row[m[3]] += v
		}
		if only := regexp.MustCompile(`^ (z\d+) =`).FindStringSubmatch(body); only != nil {
			row[only[1]] = 1
		}
		lp.rows[name] = row
		if m := limitOf.FindStringSubmatch(body); m != nil {
			lp.sense[name] = m[1]
			lp.right[name], err = strconv.ParseInt(m[2], 10, 64)
			require.NoError(t, err)
		}
	}
	return lp
}

func (lp program) at(row string, value map[string]int64) (sum int64) {
	for column, v := range lp.rows[row] {
		sum += v * value[column]
	}
	return sum
}

// broken names a row that the values do not satisfy, budgets apart.
func (lp program) broken(value map[string]int64) string {
	for row, sense := range lp.sense {
		if strings.HasPrefix(row, "budget") {
			continue
		}
		if v := lp.at(row, value); v > lp.right[row] || sense == "=" && v < lp.right[row] {
			return row
		}
	}
	return ""
}

// Every configuration is a point of the linear program, with its importance as
// objective and its costs in the budget rows; to say less or more of a layer is none.
func TestLinearisation(t *testing.T) {
	for seed := range uint64(4) {
		p, err := withSecondDevice(random(seed))
		require.NoError(t, err)
		budgets := budgetsOf(p)
		lp := readLP(t, p, budgets)
		r := rand.New(rand.NewPCG(seed, 5))
		for range 20 {
			value := map[string]int64{}
			opts, on := make([]int, len(p.Groups)), make([]bool, len(p.Blocks))
			for g := range opts {
				opts[g] = p.Groups[g].MinOption + r.IntN(p.Groups[g].MaxOption-p.Groups[g].MinOption+1)
				value[x(g, opts[g])] = 1
			}
			for b := range on {
				on[b] = !p.Blocks[b].Prunable || r.IntN(2) == 0
				if on[b] {
					value[fmt.Sprint("z", b)] = 1
				}
			}
			side := func(g int) int {
				if g < 0 {
					return 0
				}
				return opts[g]
			}
			var cell string
			for i, l := range p.Layers {
				if on[l.Block] {
					cell = y(i, side(l.Group), side(l.PrevGroup))
					value[cell] = 1
				}
			}
			importance, _, err := p.Evaluate(opts, on)
			require.NoError(t, err)
			costs, err := p.CostsOf(opts, on)
			require.NoError(t, err)
			require.Equal(t, importance, lp.at("obj", value))
			for k, cost := range costs {
				require.Equal(t, budgets[k]-cost, lp.right[fmt.Sprint("budget", k)]-lp.at(fmt.Sprint("budget", k), value))
			}
			require.Empty(t, lp.broken(value), "seed %d, options %v, blocks %v", seed, opts, on)
			value[cell] = 0
			require.NotEmpty(t, lp.broken(value), "a layer of a block that stays counts")
		}
	}
}

// The MILP solvers that are installed find what Joint proves.
func TestAgainstInstalledSolvers(t *testing.T) {
	for _, m := range []milp{glpsol, cbc} {
		t.Run(m.name, func(t *testing.T) {
			if _, err := exec.LookPath(m.name); err != nil {
				t.Skip("not installed")
			}
			p, err := withSecondDevice(random(1))
			require.NoError(t, err)
			ours, err := solve.Joint(context.Background(), p, budgetsOf(p), solve.Options{})
			require.NoError(t, err)
			file := filepath.Join(t.TempDir(), "p.lp")
			require.NoError(t, writeLP(file, p, budgetsOf(p)))
			theirs, err := m.solve(p, file, 20*time.Second)
			require.NoError(t, err)
			verdict, same := judge(p, ours, theirs)
			assert.True(t, same, verdict)
			ours.Objective++
			_, same = judge(p, ours, theirs)
			assert.False(t, same && theirs.proven)
		})
	}
}

func TestColumnsOfBothSolvers(t *testing.T) {
	for text, want := range map[string][]string{
		"     3 x0_2         *              1             0             1 \n": {"x0_2", "1"},
		"      5 z3                      1                       0\n":         {"z3", "1"},
		"**    12 x1_10                    0.99999999          7\n":           {"x1_10", "0.99999999"},
	} {
		m := column.FindStringSubmatch(text)
		require.NotNil(t, m, text)
		assert.Equal(t, want, m[1:])
	}
	assert.Nil(t, column.FindStringSubmatch("     9 y3_1_2                 1             0\n"))
}
