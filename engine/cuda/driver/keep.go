package driver

import "errors"

// Keep is a device that keeps the largest block of memory it was given back, for the
// next who asks for no more: plans that follow one another share one arena. Close
// frees it and closes the device.
func Keep(d Device) Device { return &keeping{Device: d, lent: map[Pointer]int64{}} }

type keeping struct {
	Device
	block Pointer // 0 while there is none
	bytes int64
	lent  map[Pointer]int64 // bytes of each block
}

func (k *keeping) Alloc(bytes int64) (Pointer, error) {
	if k.block != 0 && bytes <= k.bytes {
		p := k.block
		k.lent[p], k.block = k.bytes, 0
		return p, nil
	}
	p, err := k.Device.Alloc(bytes)
	if oom := new(OutOfMemory); errors.As(err, &oom) && k.block != 0 {
		if err := k.drop(); err != nil {
			return 0, err
		}
		p, err = k.Device.Alloc(bytes)
	}
	if err == nil {
		k.lent[p] = bytes
	}
	return p, err
}

func (k *keeping) Free(p Pointer) error {
	bytes := k.lent[p]
	delete(k.lent, p)
	if k.block != 0 && k.bytes >= bytes {
		return k.Device.Free(p)
	}
	err := k.drop()
	k.block, k.bytes = p, bytes
	return err
}

func (k *keeping) drop() error {
	if k.block == 0 {
		return nil
	}
	p := k.block
	k.block = 0
	return k.Device.Free(p)
}

func (k *keeping) Close() error { return errors.Join(k.drop(), k.Device.Close()) }
