package pveapi

// qemuTable declares the methods below /nodes/{node}/qemu; package schema explains the notation.
const qemuTable = `
GET /nodes/{node}/qemu
  all
  @node
  full? boolean
POST /nodes/{node}/qemu
  all
  @guest @qemu-options
  archive? string maxlen=255
  bwlimit? integer min=0
  force? boolean requires=archive
  ha-managed? boolean
  import-working-storage? string fmt=pve-storage-id
  live-restore? boolean
  pool? string fmt=pve-poolid
  start? boolean
  storage? string fmt=pve-storage-id
  unique? boolean requires=archive
GET /nodes/{node}/qemu/{vmid}
  all
  @guest
DELETE /nodes/{node}/qemu/{vmid}
  (perm /vms/{vmid} VM.Allocate)
  @guest
  destroy-unreferenced-disks? boolean
  purge? boolean
  skiplock? boolean
GET /nodes/{node}/qemu/{vmid}/config
  (perm /vms/{vmid} VM.Audit)
  @guest
  current? boolean
  snapshot? string maxlen=40 fmt=pve-configid
PUT /nodes/{node}/qemu/{vmid}/config
  (any /vms/{vmid} VM.Config.Disk VM.Config.CDROM VM.Config.CPU VM.Config.Memory VM.Config.Network VM.Config.HWType VM.Config.Options VM.Config.Cloudinit)
  @guest @qemu-options
  delete? string fmt=pve-configid-list
  digest? string maxlen=40
  force? boolean requires=delete
  revert? string fmt=pve-configid-list
  skiplock? boolean
POST /nodes/{node}/qemu/{vmid}/config
  (any /vms/{vmid} VM.Config.Disk VM.Config.CDROM VM.Config.CPU VM.Config.Memory VM.Config.Network VM.Config.HWType VM.Config.Options VM.Config.Cloudinit)
  @guest @qemu-options
  background_delay? integer min=1 max=30
  delete? string fmt=pve-configid-list
  digest? string maxlen=40
  force? boolean requires=delete
  import-working-storage? string fmt=pve-storage-id
  revert? string fmt=pve-configid-list
  skiplock? boolean
GET /nodes/{node}/qemu/{vmid}/pending
  (perm /vms/{vmid} VM.Audit)
  @guest
GET /nodes/{node}/qemu/{vmid}/cloudinit
  (perm /vms/{vmid} VM.Audit)
  @guest
PUT /nodes/{node}/qemu/{vmid}/cloudinit
  (perm /vms/{vmid} VM.Config.Cloudinit)
  @guest
GET /nodes/{node}/qemu/{vmid}/cloudinit/dump
  (perm /vms/{vmid} VM.Audit)
  @guest
  type string enum=user,network,meta
GET /nodes/{node}/qemu/{vmid}/status
  all
  @guest
GET /nodes/{node}/qemu/{vmid}/status/current
  (perm /vms/{vmid} VM.Audit)
  @guest
POST /nodes/{node}/qemu/{vmid}/status/start
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  force-cpu? string
  machine? string props=qemu-machine
  migratedfrom? string fmt=pve-node
  migration_network? string fmt=CIDR
  migration_type? string enum=secure,insecure
  nets-host-mtu? string re=net\d+=\d+(,net\d+=\d+)*
  skiplock? boolean
  stateuri? string maxlen=128
  targetstorage? string fmt=storage-pair-list
  timeout? integer min=0
  with-conntrack-state? boolean
POST /nodes/{node}/qemu/{vmid}/status/stop
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  keepActive? boolean
  migratedfrom? string fmt=pve-node
  overrule-shutdown? boolean
  skiplock? boolean
  timeout? integer min=0
POST /nodes/{node}/qemu/{vmid}/status/shutdown
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  forceStop? boolean
  keepActive? boolean
  skiplock? boolean
  timeout? integer min=0
POST /nodes/{node}/qemu/{vmid}/status/reboot
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  timeout? integer min=0
POST /nodes/{node}/qemu/{vmid}/status/reset
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  skiplock? boolean
POST /nodes/{node}/qemu/{vmid}/status/suspend
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  skiplock? boolean
  statestorage? string fmt=pve-storage-id requires=todisk
  todisk? boolean
POST /nodes/{node}/qemu/{vmid}/status/resume
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  nocheck? boolean
  skiplock? boolean
GET /nodes/{node}/qemu/{vmid}/snapshot
  (perm /vms/{vmid} VM.Audit)
  @guest
POST /nodes/{node}/qemu/{vmid}/snapshot
  (perm /vms/{vmid} VM.Snapshot)
  @guest
  description? string
  snapname string maxlen=40 fmt=pve-configid
  vmstate? boolean
GET /nodes/{node}/qemu/{vmid}/snapshot/{snapname}
  all
  @guest
  snapname string maxlen=40 fmt=pve-configid
DELETE /nodes/{node}/qemu/{vmid}/snapshot/{snapname}
  (perm /vms/{vmid} VM.Snapshot)
  @guest
  force? boolean
  snapname string maxlen=40 fmt=pve-configid
GET /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config
  (any /vms/{vmid} VM.Snapshot VM.Snapshot.Rollback VM.Audit)
  @guest
  snapname string maxlen=40 fmt=pve-configid
PUT /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config
  (perm /vms/{vmid} VM.Snapshot)
  @guest
  description? string
  snapname string maxlen=40 fmt=pve-configid
POST /nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback
  (any /vms/{vmid} VM.Snapshot VM.Snapshot.Rollback)
  @guest
  snapname string maxlen=40 fmt=pve-configid
  start? boolean
PUT /nodes/{node}/qemu/{vmid}/resize
  (perm /vms/{vmid} VM.Config.Disk)
  @guest
  digest? string maxlen=40
  disk string enum=ide0..ide3,scsi0..scsi30,virtio0..virtio15,sata0..sata5,efidisk0,tpmstate0
  size string re=\+?\d+(\.\d+)?[KMGT]?
  skiplock? boolean
POST /nodes/{node}/qemu/{vmid}/clone
  (and (perm /vms/{vmid} VM.Clone) (or (perm /vms/{newid} VM.Allocate) (perm /pool/{pool} VM.Allocate param=pool)))
  @guest
  bwlimit? integer min=0
  description? string
  format? string enum=raw,qcow2,vmdk
  full? boolean
  name? string fmt=dns-name
  newid integer min=100 max=999999999 fmt=pve-vmid
  pool? string fmt=pve-poolid
  snapname? string maxlen=40 fmt=pve-configid
  storage? string fmt=pve-storage-id
  target? string fmt=pve-node
POST /nodes/{node}/qemu/{vmid}/template
  (perm /vms/{vmid} VM.Allocate)
  @guest
  disk? string enum=ide0..ide3,scsi0..scsi30,virtio0..virtio15,sata0..sata5,efidisk0,tpmstate0
GET /nodes/{node}/qemu/{vmid}/feature
  (perm /vms/{vmid} VM.Audit)
  @guest
  feature string enum=snapshot,clone,copy
  snapname? string maxlen=40 fmt=pve-configid
GET /nodes/{node}/qemu/{vmid}/agent
  all
  *
  @guest
POST /nodes/{node}/qemu/{vmid}/agent/ping
  (any /vms/{vmid} VM.GuestAgent.Audit VM.GuestAgent.Unrestricted)
  @guest
GET /nodes/{node}/qemu/{vmid}/agent/info
  (any /vms/{vmid} VM.GuestAgent.Audit VM.GuestAgent.Unrestricted)
  @guest
GET /nodes/{node}/qemu/{vmid}/agent/network-get-interfaces
  (any /vms/{vmid} VM.GuestAgent.Audit VM.GuestAgent.Unrestricted)
  @guest
GET /nodes/{node}/qemu/{vmid}/agent/get-osinfo
  (any /vms/{vmid} VM.GuestAgent.Audit VM.GuestAgent.Unrestricted)
  @guest
GET /nodes/{node}/qemu/{vmid}/agent/get-host-name
  (any /vms/{vmid} VM.GuestAgent.Audit VM.GuestAgent.Unrestricted)
  @guest
GET /nodes/{node}/qemu/{vmid}/agent/file-read
  (any /vms/{vmid} VM.GuestAgent.FileRead VM.GuestAgent.Unrestricted)
  @guest
  count? integer min=1 max=16777216
  decode? boolean
  file string
  offset? integer min=0
POST /nodes/{node}/qemu/{vmid}/agent/exec
  (perm /vms/{vmid} VM.GuestAgent.Unrestricted)
  @guest
  command array
  input-data? string maxlen=65536
GET /nodes/{node}/qemu/{vmid}/agent/exec-status
  (perm /vms/{vmid} VM.GuestAgent.Unrestricted)
  @guest
  pid integer
`
