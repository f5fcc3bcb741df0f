package cpu

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

type tally struct {
	done    []atomic.Int32
	workers []atomic.Int32
}

func (t *tally) do(worker, i int) {
	pieces := t.workers[worker].Add(1)
	if pieces != 1 {
		panic(fmt.Sprintf("worker %d runs %d pieces at once", worker, pieces))
	}
	t.done[i].Add(1)
	t.workers[worker].Add(-1)
}

func TestTeamRunsEveryPieceOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 8} {
		team := newTeam(workers)
		for round := range 300 {
			n := round % 41
			tk := &tally{make([]atomic.Int32, n), make([]atomic.Int32, workers)}
			team.run(tk, n)
			for i := range tk.done {
				assert.EqualValues(t, 1, tk.done[i].Load(), "%d workers, round %d, piece %d of %d", workers, round, i, n)
			}
			if round%100 == 0 {
				time.Sleep(2 * awake) // let the workers park
			}
		}
		team.close()
	}
}

func TestTeamAllocatesNothing(t *testing.T) {
	team := newTeam(2)
	defer team.close()
	tk := &tally{make([]atomic.Int32, 10), make([]atomic.Int32, 2)}
	assert.Zero(t, testing.AllocsPerRun(100, func() { team.run(tk, 10) }))
}

func BenchmarkTeam(b *testing.B) {
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("%d", workers), func(b *testing.B) {
			team := newTeam(workers)
			defer team.close()
			tk := &tally{make([]atomic.Int32, 8), make([]atomic.Int32, workers)}
			for b.Loop() {
				team.run(tk, 8)
			}
		})
	}
}
