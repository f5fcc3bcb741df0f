package cpu

//go:generate go run ./gen/winograd -out winograd_amd64.s

func winogradOf(i isa) *transforms {
	return [...]*transforms{&winogradGo, &winogradAVX2, &winogradAVX512}[i]
}

var (
	winogradAVX2   = transforms{winogradInputAVX2, winogradFilterAVX2, winogradOutputAVX2, winogradGradientAVX2, winogradFoldAVX2}
	winogradAVX512 = transforms{winogradInputAVX512, winogradFilterAVX512, winogradOutputAVX512, winogradGradientAVX512, winogradFoldAVX512}
)

//go:noescape
func winogradInputAVX2(t *transform)

//go:noescape
func winogradInputAVX512(t *transform)

//go:noescape
func winogradFilterAVX2(t *transform)

//go:noescape
func winogradFilterAVX512(t *transform)

//go:noescape
func winogradOutputAVX2(t *transform)

//go:noescape
func winogradOutputAVX512(t *transform)

//go:noescape
func winogradGradientAVX2(t *transform)

//go:noescape
func winogradGradientAVX512(t *transform)

//go:noescape
func winogradFoldAVX2(t *transform)

//go:noescape
func winogradFoldAVX512(t *transform)
