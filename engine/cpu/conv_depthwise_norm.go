package cpu

// normedRows are rows of an image whose batch norm a worker has computed, as the
// kernels of depthwise convolutions want to read them: in its second-level cache,
// where those stay that it reads again.
type normedRows struct {
	*inputNorm
	from        layout
	data        []float32
	image       int
	first, next int // rows first ≤ row < next
}

// normedHeight is how many rows there is room for, at least so many as are read at once.
func normedHeight(from layout, once int) int { return max(once, blockLen/from.row) }

// normedWorkers makes those of all workers in scratch memory, nil without a norm.
func normedWorkers(norm *inputNorm, from layout, once int, ws []float32, workers int) []normedRows {
	if norm == nil {
		return nil
	}
	all := make([]normedRows, workers)
	for i := range all {
		all[i] = normedRows{inputNorm: norm, from: from, data: cut(&ws, line(normedHeight(from, once)*from.row))}
	}
	return all
}

func normedWorkspace(norm *inputNorm, from layout, once, workers int) int {
	if norm == nil {
		return 0
	}
	return workers * line(normedHeight(from, once)*from.row)
}

// begin forgets what was computed.
func (r *normedRows) begin() { r.image = -1 }

// read computes the rows from ≤ row < to of image n that it does not have; those before
// from are not read again.
func (r *normedRows) read(in []float32, n, from, to int) {
	switch height := len(r.data) / r.from.row; {
	case n != r.image || from >= r.next:
		r.image, r.first, r.next = n, from, from
	case to-r.first > height:
		copy(r.data, r.data[(from-r.first)*r.from.row:(r.next-r.first)*r.from.row])
		r.first = from
	}
	if r.next < to {
		r.copy(r.data[(r.next-r.first)*r.from.row:(to-r.first)*r.from.row], in[r.from.at(n, r.next, 0):])
		r.next = to
	}
}
