package pveapi

// clusterTable declares the methods below /cluster and /version; package schema explains the notation.
const clusterTable = `
GET /
  all
GET /version
  all
GET /cluster
  all
GET /cluster/resources
  all
  type? string enum=vm,storage,node,sdn
GET /cluster/nextid
  all
  vmid? integer min=100 max=999999999 fmt=pve-vmid
GET /cluster/status
  (perm / Sys.Audit)
GET /cluster/tasks
  all
GET /cluster/options
  (perm / Sys.Audit)
GET /cluster/ha
  (perm / Sys.Audit)
GET /cluster/ha/resources
  (perm / Sys.Audit)
  type? string enum=ct,vm
POST /cluster/ha/resources
  (perm / Sys.Console)
  comment? string maxlen=4096
  failback? boolean
  group? string fmt=pve-configid
  max_relocate? integer min=0
  max_restart? integer min=0
  sid string fmt=pve-ha-resource-or-vm-id
  state? string enum=started,stopped,enabled,disabled,ignored
  type? string enum=ct,vm
GET /cluster/ha/resources/{sid}
  (perm / Sys.Audit)
  sid string fmt=pve-ha-resource-or-vm-id
PUT /cluster/ha/resources/{sid}
  (perm / Sys.Console)
  comment? string maxlen=4096
  delete? string maxlen=4096 fmt=pve-configid-list
  digest? string maxlen=64
  failback? boolean
  group? string fmt=pve-configid
  max_relocate? integer min=0
  max_restart? integer min=0
  sid string fmt=pve-ha-resource-or-vm-id
  state? string enum=started,stopped,enabled,disabled,ignored
DELETE /cluster/ha/resources/{sid}
  (perm / Sys.Console)
  purge? boolean
  sid string fmt=pve-ha-resource-or-vm-id
GET /cluster/sdn/zones
  all
  pending? boolean
  running? boolean
  type? string enum=evpn,faucet,qinq,simple,vlan,vxlan
GET /cluster/sdn/vnets
  all
  pending? boolean
  running? boolean
`
