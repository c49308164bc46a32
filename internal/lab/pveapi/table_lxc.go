package pveapi

// lxcTable declares the methods below /nodes/{node}/lxc; package schema explains the notation.
const lxcTable = `
GET /nodes/{node}/lxc
  all
  @node
POST /nodes/{node}/lxc
  all
  @guest @lxc-options
  bwlimit? number min=0
  force? boolean
  ha-managed? boolean
  ignore-unpack-errors? boolean
  ostemplate string maxlen=255
  password? string minlen=5
  pool? string fmt=pve-poolid
  restore? boolean
  ssh-public-keys? string
  start? boolean
  storage? string fmt=pve-storage-id
  unique? boolean requires=restore
GET /nodes/{node}/lxc/{vmid}
  all
  @guest
DELETE /nodes/{node}/lxc/{vmid}
  (perm /vms/{vmid} VM.Allocate)
  @guest
  destroy-unreferenced-disks? boolean
  force? boolean
  purge? boolean
GET /nodes/{node}/lxc/{vmid}/config
  (perm /vms/{vmid} VM.Audit)
  @guest
  current? boolean
  snapshot? string maxlen=40 fmt=pve-configid
PUT /nodes/{node}/lxc/{vmid}/config
  (any /vms/{vmid} VM.Config.Disk VM.Config.CPU VM.Config.Memory VM.Config.Network VM.Config.Options)
  @guest @lxc-options
  delete? string fmt=pve-configid-list
  digest? string maxlen=40
  revert? string fmt=pve-configid-list
GET /nodes/{node}/lxc/{vmid}/pending
  (perm /vms/{vmid} VM.Audit)
  @guest
GET /nodes/{node}/lxc/{vmid}/status
  all
  @guest
GET /nodes/{node}/lxc/{vmid}/status/current
  (perm /vms/{vmid} VM.Audit)
  @guest
POST /nodes/{node}/lxc/{vmid}/status/start
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  debug? boolean
  skiplock? boolean
POST /nodes/{node}/lxc/{vmid}/status/stop
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  overrule-shutdown? boolean
  skiplock? boolean
POST /nodes/{node}/lxc/{vmid}/status/shutdown
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  forceStop? boolean
  timeout? integer min=0
POST /nodes/{node}/lxc/{vmid}/status/reboot
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
  timeout? integer min=0
POST /nodes/{node}/lxc/{vmid}/status/suspend
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
POST /nodes/{node}/lxc/{vmid}/status/resume
  (perm /vms/{vmid} VM.PowerMgmt)
  @guest
GET /nodes/{node}/lxc/{vmid}/snapshot
  (perm /vms/{vmid} VM.Audit)
  @guest
POST /nodes/{node}/lxc/{vmid}/snapshot
  (perm /vms/{vmid} VM.Snapshot)
  @guest
  description? string
  snapname string maxlen=40 fmt=pve-configid
GET /nodes/{node}/lxc/{vmid}/snapshot/{snapname}
  all
  @guest
  snapname string maxlen=40 fmt=pve-configid
DELETE /nodes/{node}/lxc/{vmid}/snapshot/{snapname}
  (perm /vms/{vmid} VM.Snapshot)
  @guest
  force? boolean
  snapname string maxlen=40 fmt=pve-configid
GET /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config
  (any /vms/{vmid} VM.Snapshot VM.Snapshot.Rollback VM.Audit)
  @guest
  snapname string maxlen=40 fmt=pve-configid
PUT /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config
  (perm /vms/{vmid} VM.Snapshot)
  @guest
  description? string
  snapname string maxlen=40 fmt=pve-configid
POST /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback
  (any /vms/{vmid} VM.Snapshot VM.Snapshot.Rollback)
  @guest
  snapname string maxlen=40 fmt=pve-configid
  start? boolean
PUT /nodes/{node}/lxc/{vmid}/resize
  (perm /vms/{vmid} VM.Config.Disk)
  @guest
  digest? string maxlen=40
  disk string enum=rootfs,mp0..mp255
  size string re=\+?\d+(\.\d+)?[KMGT]?
POST /nodes/{node}/lxc/{vmid}/clone
  (and (perm /vms/{vmid} VM.Clone) (or (perm /vms/{newid} VM.Allocate) (perm /pool/{pool} VM.Allocate param=pool)))
  @guest
  bwlimit? number min=0
  description? string
  full? boolean
  hostname? string fmt=dns-name
  newid integer min=100 max=999999999 fmt=pve-vmid
  pool? string fmt=pve-poolid
  snapname? string maxlen=40 fmt=pve-configid
  storage? string fmt=pve-storage-id
  target? string fmt=pve-node
POST /nodes/{node}/lxc/{vmid}/template
  (perm /vms/{vmid} VM.Allocate)
  @guest
POST /nodes/{node}/lxc/{vmid}/move_volume
  (perm /vms/{vmid} VM.Config.Disk)
  @guest
  bwlimit? number min=0
  delete? boolean
  digest? string maxlen=40
  storage? string fmt=pve-storage-id
  target-digest? string maxlen=40
  target-vmid? integer min=100 max=999999999 fmt=pve-vmid
  target-volume? string enum=rootfs,mp0..mp255,unused0..unused255
  volume string enum=rootfs,mp0..mp255,unused0..unused255
GET /nodes/{node}/lxc/{vmid}/migrate
  (perm /vms/{vmid} VM.Migrate)
  @guest
  target? string fmt=pve-node
POST /nodes/{node}/lxc/{vmid}/migrate
  (perm /vms/{vmid} VM.Migrate)
  @guest
  bwlimit? number min=0
  online? boolean
  restart? boolean
  target string fmt=pve-node
  target-storage? string fmt=storage-pair-list
  timeout? integer
GET /nodes/{node}/lxc/{vmid}/feature
  (perm /vms/{vmid} VM.Audit)
  @guest
  feature string enum=snapshot,clone,copy
  snapname? string maxlen=40 fmt=pve-configid
GET /nodes/{node}/lxc/{vmid}/interfaces
  (perm /vms/{vmid} VM.Audit)
  @guest
POST /nodes/{node}/lxc/{vmid}/termproxy
  (perm /vms/{vmid} VM.Console)
  @guest
GET /nodes/{node}/lxc/{vmid}/vncwebsocket
  (perm /vms/{vmid} VM.Console)
  @guest
  port integer min=5900 max=5999
  vncticket string maxlen=512
`
