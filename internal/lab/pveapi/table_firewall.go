package pveapi

// firewallTable declares the methods below /nodes/{node}/lxc/{vmid}/firewall; package schema explains the notation.
const firewallTable = `
GET /nodes/{node}/lxc/{vmid}/firewall
  all
  @guest
GET /nodes/{node}/lxc/{vmid}/firewall/options
  (perm /vms/{vmid} VM.Audit)
  @guest
PUT /nodes/{node}/lxc/{vmid}/firewall/options
  (perm /vms/{vmid} VM.Config.Network)
  @guest
  delete? string fmt=pve-configid-list
  dhcp? boolean
  digest? string maxlen=64
  enable? boolean
  ipfilter? boolean
  log_level_in? string enum=emerg,alert,crit,err,warning,notice,info,debug,nolog
  log_level_out? string enum=emerg,alert,crit,err,warning,notice,info,debug,nolog
  macfilter? boolean
  ndp? boolean
  policy_in? string enum=ACCEPT,REJECT,DROP
  policy_out? string enum=ACCEPT,REJECT,DROP
  radv? boolean
GET /nodes/{node}/lxc/{vmid}/firewall/rules
  (perm /vms/{vmid} VM.Audit)
  @guest
POST /nodes/{node}/lxc/{vmid}/firewall/rules
  (perm /vms/{vmid} VM.Config.Network)
  @guest @rule
  action string minlen=2 maxlen=20 re=[A-Za-z][A-Za-z0-9\-\_]+
  pos? integer min=0
  type string enum=in,out,forward,group
GET /nodes/{node}/lxc/{vmid}/firewall/rules/{pos}
  (perm /vms/{vmid} VM.Audit)
  @guest
  pos? integer min=0
PUT /nodes/{node}/lxc/{vmid}/firewall/rules/{pos}
  (perm /vms/{vmid} VM.Config.Network)
  @guest @rule
  action? string minlen=2 maxlen=20 re=[A-Za-z][A-Za-z0-9\-\_]+
  delete? string fmt=pve-configid-list
  moveto? integer min=0
  pos? integer min=0
  type? string enum=in,out,forward,group
DELETE /nodes/{node}/lxc/{vmid}/firewall/rules/{pos}
  (perm /vms/{vmid} VM.Config.Network)
  @guest
  digest? string maxlen=64
  pos? integer min=0
GET /nodes/{node}/lxc/{vmid}/firewall/aliases
  (perm /vms/{vmid} VM.Audit)
  @guest
GET /nodes/{node}/lxc/{vmid}/firewall/ipset
  (perm /vms/{vmid} VM.Audit)
  @guest
GET /nodes/{node}/lxc/{vmid}/firewall/refs
  (perm /vms/{vmid} VM.Audit)
  @guest
  type? string enum=alias,ipset
GET /nodes/{node}/lxc/{vmid}/firewall/log
  (perm /vms/{vmid} VM.Console)
  @guest
  limit? integer min=0
  since? integer min=0
  start? integer min=0
  until? integer min=0
`
