package pveapi

// storageTable declares the methods below /storage and /nodes/{node}/storage; package schema explains the notation.
const storageTable = `
GET /nodes/{node}/storage
  all
  @node
  content? string fmt=pve-storage-content-list
  enabled? boolean
  format? boolean
  storage? string fmt=pve-storage-id
  target? string fmt=pve-node
GET /nodes/{node}/storage/{storage}/status
  (any /storage/{storage} Datastore.Audit Datastore.AllocateSpace)
  @node
  storage string fmt=pve-storage-id
GET /nodes/{node}/storage/{storage}/content
  (any /storage/{storage} Datastore.Audit Datastore.AllocateSpace)
  @node
  content? string fmt=pve-storage-content
  storage string fmt=pve-storage-id
  vmid? integer min=100 max=999999999 fmt=pve-vmid
POST /nodes/{node}/storage/{storage}/content
  (perm /storage/{storage} Datastore.AllocateSpace)
  @guest
  filename string
  format? string enum=raw,qcow2,subvol,vmdk requires=size
  size string re=\d+[MG]?
  storage string fmt=pve-storage-id
GET /nodes/{node}/storage/{storage}/content/{volume}
  all
  @node
  storage? string fmt=pve-storage-id
  volume string
DELETE /nodes/{node}/storage/{storage}/content/{volume}
  all
  @node
  delay? integer min=1 max=30
  storage? string fmt=pve-storage-id
  volume string
POST /nodes/{node}/storage/{storage}/download-url
  (and (perm /storage/{storage} Datastore.AllocateTemplate) (or (perm / Sys.Audit Sys.Modify) (perm /nodes/{node} Sys.AccessNetwork)))
  @node
  checksum? string requires=checksum-algorithm
  checksum-algorithm? string enum=md5,sha1,sha224,sha256,sha384,sha512 requires=checksum
  compression? string
  content string fmt=pve-storage-content enum=iso,vztmpl,import
  filename string maxlen=255
  storage string fmt=pve-storage-id
  url string re=https?://.*
  verify-certificates? boolean
GET /storage
  all
  type? string enum=btrfs,cephfs,cifs,dir,esxi,iscsi,iscsidirect,lvm,lvmthin,nfs,pbs,rbd,zfs,zfspool
POST /storage
  (perm /storage Datastore.Allocate)
  @storage-options
  authsupported? string
  base? string fmt=pve-volume-id
  datastore? string
  export? string fmt=pve-storage-path
  iscsiprovider? string
  path? string fmt=pve-storage-path
  portal? string fmt=pve-storage-portal-dns
  share? string
  storage string fmt=pve-storage-id
  target? string
  thinpool? string fmt=pve-storage-vgname
  type string enum=btrfs,cephfs,cifs,dir,esxi,iscsi,iscsidirect,lvm,lvmthin,nfs,pbs,rbd,zfs,zfspool
  vgname? string fmt=pve-storage-vgname
GET /storage/{storage}
  (perm /storage/{storage} Datastore.Allocate)
  storage string fmt=pve-storage-id
PUT /storage/{storage}
  (perm /storage Datastore.Allocate)
  @storage-options
  delete? string maxlen=4096 fmt=pve-configid-list
  digest? string maxlen=64
  storage string fmt=pve-storage-id
DELETE /storage/{storage}
  (perm /storage Datastore.Allocate)
  storage string fmt=pve-storage-id
`
