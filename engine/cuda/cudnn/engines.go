//go:build cuda

package cudnn

/*
#include "calls.h"
*/
import "C"

import (
	"fmt"
	"slices"
	"unsafe"

	"mdp/engine"
)

// findGraph lists the engines that compute the problem in so much workspace.
func (h *Handle) findGraph(p Problem, workspaceBytes int64) ([]Choice, error) {
	if p.Act == engine.HardSwish {
		return nil, fmt.Errorf("cuDNN has no %v to fuse", p.Act)
	}
	b := &builder{Library: h.library}
	defer b.close()
	engines := b.engines(b.operations(h, p))
	if b.err != nil {
		return nil, b.err
	}
	var choices []Choice
	for rank, configuration := range engines {
		number, notes := b.engine(configuration)
		if b.err != nil {
			return nil, b.err
		}
		if p.Precision == FP32 && !exact(notes) || len(choices) == most {
			continue
		}
		plan := &builder{Library: h.library}
		_, workspace := plan.plan(h, configuration)
		plan.close()
		switch {
		case unsupported(plan.err):
		case plan.err != nil:
			return nil, plan.err
		case workspace <= workspaceBytes:
			choices = append(choices, Choice{Version: h.library.Version(), Graph: true, Algorithm: number, Rank: rank, WorkspaceBytes: workspace})
		}
	}
	return choices, nil
}

// plan makes an engine ready and says how much workspace it needs.
func (b *builder) plan(h *Handle, configuration descriptor) (descriptor, int64) {
	plan := b.descriptor(C.CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "ready an engine", func(d descriptor) {
		d.handle(C.CUDNN_ATTR_EXECUTION_PLAN_HANDLE, h.handle)
		d.others(C.CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration)
	})
	var bytes C.int64_t
	plan.get(C.CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, C.CUDNN_TYPE_INT64, 1, unsafe.Pointer(&bytes))
	return plan, int64(bytes)
}

// mostEngines is how many engines a heuristic is asked for.
const mostEngines = 64

// engines lists the engine configurations for a graph, what cuDNN thinks the
// fastest first. They live as long as the builder.
func (b *builder) engines(operations descriptor) []descriptor {
	var all []descriptor
	for _, mode := range []C.int{C.CUDNN_HEUR_MODE_A, C.CUDNN_HEUR_MODE_FALLBACK} {
		heuristic := b.descriptor(C.CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "ask for engines", func(d descriptor) {
			d.others(C.CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, operations)
			d.enum(C.CUDNN_ATTR_ENGINEHEUR_MODE, C.CUDNN_TYPE_HEUR_MODE, mode)
		})
		var room [mostEngines]unsafe.Pointer
		for i := range room {
			if b.err == nil {
				b.err = b.status(C.cudnn_backend_create(&b.api, C.CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &room[i]), "ask for engines")
			}
			if room[i] != nil {
				b.made = append(b.made, room[i])
			}
		}
		n := heuristic.get(C.CUDNN_ATTR_ENGINEHEUR_RESULTS, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, mostEngines, unsafe.Pointer(&room[0]))
		for _, at := range room[:n] {
			all = append(all, descriptor{b, at, "read an engine"})
		}
	}
	return all
}

// engine reads what is behind a configuration: its number and its notes.
func (b *builder) engine(configuration descriptor) (number int, notes []C.int) {
	at := unsafe.Pointer(nil)
	if b.err == nil {
		b.err = b.status(C.cudnn_backend_create(&b.api, C.CUDNN_BACKEND_ENGINE_DESCRIPTOR, &at), "read an engine")
	}
	if b.err != nil {
		return 0, nil
	}
	b.made = append(b.made, at)
	configuration.get(C.CUDNN_ATTR_ENGINECFG_ENGINE, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, unsafe.Pointer(&at))
	e := descriptor{b, at, "read an engine"}
	var index C.int64_t
	e.get(C.CUDNN_ATTR_ENGINE_GLOBAL_INDEX, C.CUDNN_TYPE_INT64, 1, unsafe.Pointer(&index))
	var all [C.CUDNN_NUMERICAL_NOTE_TYPE_COUNT]C.int
	n := e.get(C.CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, C.CUDNN_TYPE_NUMERICAL_NOTE, len(all), unsafe.Pointer(&all[0]))
	return int(index), all[:n]
}

// exact says that an engine multiplies float32 as float32.
func exact(notes []C.int) bool {
	for _, inexact := range []C.int{C.CUDNN_NUMERICAL_NOTE_TENSOR_CORE, C.CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, C.CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION} {
		if slices.Contains(notes, inexact) {
			return false
		}
	}
	return true
}
