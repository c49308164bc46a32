package pveapi

// nodesTable declares the methods below /nodes that concern no guest and no storage; package schema explains the notation.
const nodesTable = `
GET /nodes
  all
GET /nodes/{node}
  all
  @node
GET /nodes/{node}/status
  (perm /nodes/{node} Sys.Audit)
  @node
GET /nodes/{node}/version
  all
  @node
GET /nodes/{node}/time
  (perm /nodes/{node} Sys.Audit)
  @node
GET /nodes/{node}/dns
  (perm /nodes/{node} Sys.Audit)
  @node
GET /nodes/{node}/network
  all
  @node
  type? string enum=bridge,bond,eth,alias,vlan,fabric,OVSBridge,OVSBond,OVSPort,OVSIntPort,vnet,any_bridge,any_local_bridge,include_sdn
GET /nodes/{node}/network/{iface}
  (perm /nodes/{node} Sys.Audit)
  @node
  iface string minlen=2 maxlen=20 fmt=pve-iface
GET /nodes/{node}/sdn/zones
  all
  @node
GET /nodes/{node}/sdn/zones/{zone}/content
  (perm /sdn/zones/{zone} SDN.Audit)
  @node
  zone string until=9.1 fmt=pve-sdn-zone-id
  zone string since=9.2 minlen=2 maxlen=8 re=[a-zA-Z][a-zA-Z0-9]*[a-zA-Z0-9]
GET /nodes/{node}/aplinfo
  all
  @node
POST /nodes/{node}/aplinfo
  (perm /storage/{storage} Datastore.AllocateTemplate)
  @node
  storage string fmt=pve-storage-id
  template string maxlen=255
GET /nodes/{node}/query-url-metadata
  (or (perm / Sys.Audit Sys.Modify) (perm /nodes/{node} Sys.AccessNetwork))
  @node
  url string re=https?://.*
  verify-certificates? boolean
GET /nodes/{node}/tasks
  all
  @node
  errors? boolean
  limit? integer min=0
  since? integer
  source? string enum=archive,active,all
  start? integer min=0
  statusfilter? string fmt=pve-task-status-type-list
  typefilter? string
  until? integer
  userfilter? string
  vmid? integer min=100 max=999999999 fmt=pve-vmid
GET /nodes/{node}/tasks/{upid}
  all
  @node
  upid string
DELETE /nodes/{node}/tasks/{upid}
  all
  @node
  upid string
GET /nodes/{node}/tasks/{upid}/status
  all
  @node
  upid string
GET /nodes/{node}/tasks/{upid}/log
  all
  @node
  download? boolean
  limit? integer min=0
  start? integer min=0
  upid string
`
