package cpu

// rowsFor is the row kernels of an instruction set.
func rowsFor(isa isa) *rows { return [...]*rows{&goRows, &avx2Rows, &avx512Rows}[isa] }

var avx2Rows = rows{
	moments: momentsAVX2,
	affine:  affineAVX2, affineAdd: affineAddAVX2,
	gradients: gradientsAVX2,
	input:     inputAVX2, inputCopy: inputCopyAVX2, inputAdd: inputAddAVX2,
	clamp: clampAVX2, add: addAVX2, larger: largerAVX2,
	pass: passAVX2, passAdd: passAddAVX2,
	sgd: sgdAVX2,
}

var avx512Rows = rows{
	moments: momentsAVX512,
	affine:  affineAVX512, affineAdd: affineAddAVX512,
	gradients: gradientsAVX512,
	input:     inputAVX512, inputCopy: inputCopyAVX512, inputAdd: inputAddAVX512,
	clamp: clampAVX512, add: addAVX512, larger: largerAVX512,
	pass: passAVX512, passAdd: passAddAVX512,
	sgd: sgdAVX512,
}
