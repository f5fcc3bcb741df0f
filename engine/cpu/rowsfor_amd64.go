package cpu

// rowsFor is the row kernels of an instruction set.
func rowsFor(isa isa) *rows {
	return [...]*rows{&goRows, &avx2Rows, &avx512Rows}[isa.float32()]
}

var avx2Rows = rows{
	moments: momentsAVX2, columnMoments: columnMomentsAVX2, columnGradients: columnGradientsAVX2, columnGradientsOf: columnGradientsOfAVX2,
	affine: affineAVX2, affineAdd: affineAddAVX2,
	affinePast: affinePastAVX2, affineAddPast: affineAddPastAVX2,
	gradients: gradientsAVX2, gradientsOf: gradientsOfAVX2,
	inputOf: inputOfAVX2,
	input:   inputAVX2, inputCopy: inputCopyAVX2, inputCopyPast: inputCopyPastAVX2, inputAdd: inputAddAVX2,
	clamp: clampAVX2, add: addAVX2, larger: largerAVX2,
	send: sendAVX2,
	pass: passAVX2, passAdd: passAddAVX2,
	mul: mulAVX2, mulAdd: mulAddAVX2,
	sigmoid: sigmoidAVX2, hardSwish: hardSwishAVX2,
	silu: siluAVX2, siluBack: siluBackAVX2, siluBackAdd: siluBackAddAVX2,
	sgd: sgdAVX2,
}

var avx512Rows = rows{
	moments: momentsAVX512, columnMoments: columnMomentsAVX512, columnGradients: columnGradientsAVX512, columnGradientsOf: columnGradientsOfAVX512,
	affine: affineAVX512, affineAdd: affineAddAVX512,
	affinePast: affinePastAVX512, affineAddPast: affineAddPastAVX512,
	gradients: gradientsAVX512, gradientsOf: gradientsOfAVX512,
	inputOf: inputOfAVX512,
	input:   inputAVX512, inputCopy: inputCopyAVX512, inputCopyPast: inputCopyPastAVX512, inputAdd: inputAddAVX512,
	clamp: clampAVX512, add: addAVX512, larger: largerAVX512,
	send: sendAVX512,
	pass: passAVX512, passAdd: passAddAVX512,
	mul: mulAVX512, mulAdd: mulAddAVX512,
	sigmoid: sigmoidAVX512, hardSwish: hardSwishAVX512,
	silu: siluAVX512, siluBack: siluBackAVX512, siluBackAdd: siluBackAddAVX512,
	sgd: sgdAVX512,
}
