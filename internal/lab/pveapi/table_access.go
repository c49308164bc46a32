package pveapi

// accessTable declares the methods below /access and /pools; package schema explains the notation.
const accessTable = `
GET /pools
  all
  poolid? string fmt=pve-poolid
  type? string enum=qemu,lxc,storage requires=poolid
POST /pools
  (perm /pool/{poolid} Pool.Allocate)
  comment? string
  poolid string fmt=pve-poolid
PUT /pools
  (perm /pool/{poolid} Pool.Allocate)
  @pool
DELETE /pools
  (perm /pool/{poolid} Pool.Allocate)
  poolid string fmt=pve-poolid
GET /pools/{poolid}
  (perm /pool/{poolid} Pool.Audit)
  poolid string fmt=pve-poolid
  type? string enum=qemu,lxc,storage
PUT /pools/{poolid}
  (perm /pool/{poolid} Pool.Allocate)
  @pool
DELETE /pools/{poolid}
  (perm /pool/{poolid} Pool.Allocate)
  poolid string fmt=pve-poolid
GET /access
  all
GET /access/permissions
  all
  path? string
  userid? string re=(?^:^(?^:[^\s:/]+)\@(?^:[A-Za-z][A-Za-z0-9\.\-_]+)(?:!(?^:[A-Za-z][A-Za-z0-9\.\-_]+))?$)
GET /access/domains
  world
GET /access/ticket
  world
POST /access/ticket
  world
  new-format? boolean
  otp? string
  password string
  path? string maxlen=64 requires=privs
  privs? string maxlen=64 fmt=pve-priv-list requires=path
  realm? string maxlen=32 fmt=pve-realm
  tfa-challenge? string
  username string maxlen=64
POST /access/vncticket
  world
  authid string maxlen=64
  path string maxlen=64
  port? integer
  privs string maxlen=64 fmt=pve-priv-list
  vncticket string
GET /access/acl
  all
PUT /access/acl
  (perm-modify {path})
  delete? boolean
  groups? string fmt=pve-groupid-list
  path string
  propagate? boolean
  roles string fmt=pve-roleid-list
  tokens? string fmt=pve-tokenid-list
  users? string fmt=pve-userid-list
GET /access/roles
  all
POST /access/roles
  (perm /access Sys.Modify)
  privs? string fmt=pve-priv-list
  roleid string fmt=pve-roleid
GET /access/roles/{roleid}
  all
  roleid string fmt=pve-roleid
PUT /access/roles/{roleid}
  (perm /access Sys.Modify)
  append? boolean requires=privs
  privs? string fmt=pve-priv-list
  roleid string fmt=pve-roleid
DELETE /access/roles/{roleid}
  (perm /access Sys.Modify)
  roleid string fmt=pve-roleid
GET /access/users
  all
  enabled? boolean
  full? boolean
POST /access/users
  (and (userid-param Realm.AllocateUser) (userid-group User.Modify groups_param create))
  comment? string maxlen=2048
  email? string maxlen=254 fmt=email-opt
  enable? boolean
  expire? integer min=0
  firstname? string maxlen=1024
  groups? string fmt=pve-groupid-list
  keys? string re=[0-9a-zA-Z!=]{0,4096}
  lastname? string maxlen=1024
  password? string minlen=8 maxlen=64
  userid string maxlen=64 fmt=pve-userid
GET /access/users/{userid}
  (userid-group User.Modify Sys.Audit)
  userid string maxlen=64 fmt=pve-userid
PUT /access/users/{userid}
  (userid-group User.Modify groups_param update)
  append? boolean requires=groups
  comment? string maxlen=2048
  email? string maxlen=254 fmt=email-opt
  enable? boolean
  expire? integer min=0
  firstname? string maxlen=1024
  groups? string fmt=pve-groupid-list
  keys? string re=[0-9a-zA-Z!=]{0,4096}
  lastname? string maxlen=1024
  userid string maxlen=64 fmt=pve-userid
DELETE /access/users/{userid}
  (and (userid-param Realm.AllocateUser) (userid-group User.Modify))
  userid string maxlen=64 fmt=pve-userid
GET /access/users/{userid}/token
  (or (userid-param self) (userid-group User.Modify))
  userid string maxlen=64 fmt=pve-userid
GET /access/users/{userid}/token/{tokenid}
  (or (userid-param self) (userid-group User.Modify))
  tokenid string re=(?^:[A-Za-z][A-Za-z0-9\.\-_]+)
  userid string maxlen=64 fmt=pve-userid
POST /access/users/{userid}/token/{tokenid}
  (or (userid-param self) (userid-group User.Modify))
  comment? string
  expire? integer min=0
  privsep? boolean
  tokenid string re=(?^:[A-Za-z][A-Za-z0-9\.\-_]+)
  userid string maxlen=64 fmt=pve-userid
PUT /access/users/{userid}/token/{tokenid}
  (or (userid-param self) (userid-group User.Modify))
  comment? string
  delete? string fmt=pve-configid-list
  expire? integer min=0
  privsep? boolean
  regenerate? boolean since=9.2
  tokenid string re=(?^:[A-Za-z][A-Za-z0-9\.\-_]+)
  userid string maxlen=64 fmt=pve-userid
DELETE /access/users/{userid}/token/{tokenid}
  (or (userid-param self) (userid-group User.Modify))
  tokenid string re=(?^:[A-Za-z][A-Za-z0-9\.\-_]+)
  userid string maxlen=64 fmt=pve-userid
GET /access/groups
  all
POST /access/groups
  (perm /access/groups Group.Allocate)
  comment? string
  groupid string fmt=pve-groupid
GET /access/groups/{groupid}
  (any /access/groups Sys.Audit Group.Allocate)
  groupid string fmt=pve-groupid
PUT /access/groups/{groupid}
  (perm /access/groups Group.Allocate)
  comment? string
  groupid string fmt=pve-groupid
DELETE /access/groups/{groupid}
  (perm /access/groups Group.Allocate)
  groupid string fmt=pve-groupid
PUT /access/password
  (or (userid-param self) (and (userid-param Realm.AllocateUser) (userid-group User.Modify)))
  confirmation-password? string minlen=5 maxlen=64
  password string minlen=8 maxlen=64
  userid string maxlen=64 fmt=pve-userid
`
