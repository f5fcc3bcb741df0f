package solve

import "math"

// column is a configuration as the master program sees it: what it keeps, what
// it costs relative to the reach, and 1, for the weights of all add up to 1.
type column struct {
	value float64
	row   [maxCosts + 1]float64
}

// dual looks for the prices with the least bound,
//
//	min over prices of (best score + Σ p[i]·budget[i]) / q,
//
// by column generation: the master program mixes configurations found so far
// to keep the most within the budgets on average; its dual values are the next
// prices, the best configuration at them the next column. With one cost the
// basis is a chord and this is Problem's one-budget search; with two, a plane.
func (j *joint) dual() (best prices, top int64, err error) {
	n := 1 + len(j.problem.Costs)
	const punish = 1e4 // for the column that stands for no configuration
	basis := make([]column, n+1)
	var limits [maxCosts + 1]float64
	for i := range n {
		basis[i].row[i] = 1 // unused budget
		limits[i] = float64(j.budget[i]) / float64(max(1, j.reach[i]))
	}
	basis[n] = column{value: -punish}
	basis[n].row[n], limits[n] = 1, 1

	for round := 0; round < 40*n && (round == 0 || j.ctx.Err() == nil); round++ {
		y := solveDense(basis, n+1, nil)
		enter, slack := column{}, -1
		for i := range n {
			if y[i] < -1e-12 && (slack < 0 || y[i] < y[slack]) {
				slack = i
			}
			y[i] = max(0, y[i])
		}
		if slack >= 0 {
			enter.row[slack] = 1
		} else {
			m := j.round(y[:n])
			score := j.whole.upAt(m)
			_, c := j.whole.best()
			importance, at, err := j.evaluate(c)
			if err != nil {
				return prices{}, 0, err
			}
			j.offer(importance, at, c)
			bound := floorDiv(score+m.of(j.budget), m.q)
			if round == 0 || best.q == 0 || bound < j.bound {
				j.bound, best, top = bound, m, score
			}
			enter.value = float64(importance) / float64(max(1, j.worth))
			gain := enter.value - y[n]
			for i := range n {
				enter.row[i] = float64(at[i]) / float64(max(1, j.reach[i]))
				gain -= y[i] * enter.row[i]
			}
			enter.row[n] = 1
			if gain <= 1e-10 {
				break
			}
		}
		if !pivot(basis, limits, enter, n+1) {
			break
		}
	}
	return best, top, nil
}

// evaluate returns what a configuration keeps and costs, less the constants.
func (j *joint) evaluate(c choice) (importance int64, at costs, err error) {
	importance, _, err = j.problem.Evaluate(c.options, c.blocks)
	if err != nil {
		return 0, at, err
	}
	total, err := j.problem.CostsOf(c.options, c.blocks)
	copy(at[:], total)
	return importance, at.minus(j.constant), err
}

// round returns integer prices near the given ones, small enough that no score
// leaves maxScore/4. Any prices give a valid bound; rounded ones only a little
// less sharp.
func (j *joint) round(y []float64) prices {
	const most = maxScore / 8
	worth := float64(max(1, j.worth))
	sum := 1.0 // of |score| in units of q·worth
	for _, v := range y {
		sum += v
	}
	q := math.Floor(min(1<<40, most/worth/sum))
	m := prices{q: max(1, int64(q))}
	for i, v := range y {
		reach := float64(max(1, j.reach[i]))
		m.p[i] = int64(min(math.Round(v*worth/reach*float64(m.q)), math.Floor(most/reach)))
	}
	return m
}

// pivot lets a column enter the basis for the one that first falls to weight
// zero; false if none does.
func pivot(basis []column, limits [maxCosts + 1]float64, enter column, n int) bool {
	weight := solveDense(basis, n, limits[:n])
	step := solveDense(basis, n, enter.row[:n])
	leave := -1
	for i, s := range step {
		if s > 1e-11 && (leave < 0 || max(0, weight[i])/s < max(0, weight[leave])/step[leave]) {
			leave = i
		}
	}
	if leave < 0 {
		return false
	}
	basis[leave] = enter
	return true
}

// solveDense solves B·x = right for the matrix B of the basis' columns or,
// without a right side, Bᵀ·y = their values. n is at most maxCosts+1.
func solveDense(basis []column, n int, right []float64) []float64 {
	var a [maxCosts + 1][maxCosts + 2]float64
	for r := range n {
		for c := range n {
			if right != nil {
				a[r][c] = basis[c].row[r]
			} else {
				a[r][c] = basis[r].row[c]
			}
		}
		if right != nil {
			a[r][n] = right[r]
		} else {
			a[r][n] = basis[r].value
		}
	}
	for c := range n {
		big := c
		for r := c + 1; r < n; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[big][c]) {
				big = r
			}
		}
		a[c], a[big] = a[big], a[c]
		if a[c][c] == 0 {
			continue
		}
		for r := range n {
			if f := a[r][c] / a[c][c]; r != c && f != 0 {
				for k := c; k <= n; k++ {
					a[r][k] -= f * a[c][k]
				}
			}
		}
	}
	x := make([]float64, n)
	for i := range x {
		if a[i][i] != 0 {
			x[i] = a[i][n] / a[i][i]
		}
	}
	return x
}

// floorDiv is a/b rounded down, for b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
