package pveapi

import "regexp"

var isDrive = regexp.MustCompile(`^(?:ide|sata|scsi|virtio)\d+$|^(?:efidisk0|tpmstate0)$`)

type console struct{}

func (s *Server) bootDiskSize(*guest) int64       { return 0 }
func (c *call) qemuStatus(*guest, map[string]any) {}
func (c *call) forkStartVM(int) string            { return "" }
