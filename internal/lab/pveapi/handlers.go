package pveapi

// handlers names what carries out each method of the tables (table_*.go), which hold the
// method's privileges and parameters.
func (s *Server) handlers() map[string]handler {
	all := map[string]handler{}
	for _, part := range []map[string]handler{accessHandlers, clusterHandlers, nodeHandlers, storageHandlers, lxcHandlers, firewallHandlers} {
		for k, h := range part {
			all[k] = h
		}
	}
	return all
}

var accessHandlers = map[string]handler{
	"GET /access":                                   subdirs("subdir", "users", "groups", "roles", "acl", "domains", "openid", "ticket", "password", "permissions", "tfa", "vncticket"),
	"GET /access/permissions":                       getPermissions,
	"GET /access/domains":                           listDomains,
	"GET /access/ticket":                            getTicket,
	"POST /access/ticket":                           createTicket,
	"GET /access/acl":                               getACL,
	"PUT /access/acl":                               putACL,
	"GET /access/roles":                             listRoles,
	"POST /access/roles":                            createRole,
	"GET /access/roles/{roleid}":                    getRole,
	"PUT /access/roles/{roleid}":                    putRole,
	"DELETE /access/roles/{roleid}":                 deleteRole,
	"GET /access/users":                             listUsers,
	"POST /access/users":                            createUser,
	"GET /access/users/{userid}":                    getUser,
	"PUT /access/users/{userid}":                    putUser,
	"DELETE /access/users/{userid}":                 deleteUser,
	"GET /access/users/{userid}/token":              listTokens,
	"GET /access/users/{userid}/token/{tokenid}":    getToken,
	"POST /access/users/{userid}/token/{tokenid}":   createToken,
	"PUT /access/users/{userid}/token/{tokenid}":    putToken,
	"DELETE /access/users/{userid}/token/{tokenid}": deleteToken,
	"GET /access/groups":                            listGroups,
	"POST /access/groups":                           createGroup,
	"GET /access/groups/{groupid}":                  getGroup,
	"PUT /access/groups/{groupid}":                  putGroup,
	"DELETE /access/groups/{groupid}":               deleteGroup,
	"PUT /access/password":                          putPassword,
	"GET /pools":                                    listPools,
	"POST /pools":                                   createPool,
	"PUT /pools":                                    putPool,
	"DELETE /pools":                                 deletePool,
	"GET /pools/{poolid}":                           getPool,
	"PUT /pools/{poolid}":                           putPool,
	"DELETE /pools/{poolid}":                        deletePool,
}

var clusterHandlers = map[string]handler{
	"GET /":                              subdirs("subdir", "version", "cluster", "nodes", "storage", "access", "pools"),
	"GET /version":                       getVersion,
	"GET /cluster":                       clusterDirs,
	"GET /cluster/resources":             clusterResources,
	"GET /cluster/nextid":                nextID,
	"GET /cluster/status":                clusterStatus,
	"GET /cluster/tasks":                 clusterTasks,
	"GET /cluster/options":               clusterOptions,
	"GET /cluster/ha":                    subdirs("id", "status", "resources", "groups", "rules"),
	"GET /cluster/ha/resources":          listHA,
	"POST /cluster/ha/resources":         createHA,
	"GET /cluster/ha/resources/{sid}":    getHA,
	"PUT /cluster/ha/resources/{sid}":    putHA,
	"DELETE /cluster/ha/resources/{sid}": deleteHA,
	"GET /cluster/sdn/zones":             emptyList,
	"GET /cluster/sdn/vnets":             emptyList,
}

var nodeHandlers = map[string]handler{
	"GET /nodes":                                 listNodes,
	"GET /nodes/{node}":                          nodeDirs,
	"GET /nodes/{node}/status":                   nodeStatus,
	"GET /nodes/{node}/version":                  nodeVersion,
	"GET /nodes/{node}/time":                     nodeTime,
	"GET /nodes/{node}/dns":                      nodeDNS,
	"GET /nodes/{node}/network":                  listNetwork,
	"GET /nodes/{node}/network/{iface}":          getNetwork,
	"GET /nodes/{node}/sdn/zones":                emptyList,
	"GET /nodes/{node}/sdn/zones/{zone}/content": zoneContent,
	"GET /nodes/{node}/aplinfo":                  listAppliances,
	"POST /nodes/{node}/aplinfo":                 downloadAppliance,
	"GET /nodes/{node}/query-url-metadata":       queryURL,
	"GET /nodes/{node}/tasks":                    listTasks,
	"GET /nodes/{node}/tasks/{upid}":             taskIndex,
	"DELETE /nodes/{node}/tasks/{upid}":          stopTask,
	"GET /nodes/{node}/tasks/{upid}/status":      taskStatus,
	"GET /nodes/{node}/tasks/{upid}/log":         taskLog,
}

var storageHandlers = map[string]handler{
	"GET /nodes/{node}/storage":                               nodeStorages,
	"GET /nodes/{node}/storage/{storage}/status":              storageStatus,
	"GET /nodes/{node}/storage/{storage}/content":             storageContent,
	"POST /nodes/{node}/storage/{storage}/content":            allocVolume,
	"GET /nodes/{node}/storage/{storage}/content/{volume}":    getVolume,
	"DELETE /nodes/{node}/storage/{storage}/content/{volume}": deleteVolume,
	"POST /nodes/{node}/storage/{storage}/download-url":       downloadURL,
	"GET /storage":              listStorageConfig,
	"POST /storage":             createStorage,
	"GET /storage/{storage}":    getStorageConfig,
	"PUT /storage/{storage}":    putStorage,
	"DELETE /storage/{storage}": deleteStorage,
}

var lxcHandlers = map[string]handler{
	"GET /nodes/{node}/lxc":                                      listGuests,
	"POST /nodes/{node}/lxc":                                     createLXC,
	"GET /nodes/{node}/lxc/{vmid}":                               guestIndex(lxcDirs),
	"DELETE /nodes/{node}/lxc/{vmid}":                            destroyLXC,
	"GET /nodes/{node}/lxc/{vmid}/config":                        getConfig,
	"PUT /nodes/{node}/lxc/{vmid}/config":                        putLXCConfig,
	"GET /nodes/{node}/lxc/{vmid}/pending":                       getPending,
	"GET /nodes/{node}/lxc/{vmid}/status":                        guestIndex(subdirs("subdir", "current", "start", "stop", "shutdown", "reboot", "migrate")),
	"GET /nodes/{node}/lxc/{vmid}/status/current":                currentStatus,
	"POST /nodes/{node}/lxc/{vmid}/status/start":                 startLXC,
	"POST /nodes/{node}/lxc/{vmid}/status/stop":                  stopLXC,
	"POST /nodes/{node}/lxc/{vmid}/status/shutdown":              shutdownLXC,
	"POST /nodes/{node}/lxc/{vmid}/status/reboot":                rebootLXC,
	"POST /nodes/{node}/lxc/{vmid}/status/suspend":               suspendLXC,
	"POST /nodes/{node}/lxc/{vmid}/status/resume":                resumeLXC,
	"GET /nodes/{node}/lxc/{vmid}/snapshot":                      listSnapshots,
	"POST /nodes/{node}/lxc/{vmid}/snapshot":                     createSnapshot,
	"GET /nodes/{node}/lxc/{vmid}/snapshot/{snapname}":           subdirs("cmd", "rollback", "config"),
	"DELETE /nodes/{node}/lxc/{vmid}/snapshot/{snapname}":        deleteSnapshot,
	"GET /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config":    getSnapshotConfig,
	"PUT /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config":    putSnapshotConfig,
	"POST /nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback": rollbackSnapshot,
	"PUT /nodes/{node}/lxc/{vmid}/resize":                        resizeLXC,
	"POST /nodes/{node}/lxc/{vmid}/clone":                        cloneLXC,
	"POST /nodes/{node}/lxc/{vmid}/template":                     templateLXC,
	"GET /nodes/{node}/lxc/{vmid}/migrate":                       migrateTargets,
	"POST /nodes/{node}/lxc/{vmid}/migrate":                      migrateLXC,
	"GET /nodes/{node}/lxc/{vmid}/feature":                       getFeature,
	"GET /nodes/{node}/lxc/{vmid}/interfaces":                    lxcInterfaces,
}

var firewallHandlers = map[string]handler{
	"GET /nodes/{node}/lxc/{vmid}/firewall":                subdirs("name", "rules", "aliases", "ipset", "refs", "options"),
	"GET /nodes/{node}/lxc/{vmid}/firewall/options":        getFWOptions,
	"PUT /nodes/{node}/lxc/{vmid}/firewall/options":        putFWOptions,
	"GET /nodes/{node}/lxc/{vmid}/firewall/rules":          listFWRules,
	"POST /nodes/{node}/lxc/{vmid}/firewall/rules":         addFWRule,
	"GET /nodes/{node}/lxc/{vmid}/firewall/rules/{pos}":    getFWRule,
	"PUT /nodes/{node}/lxc/{vmid}/firewall/rules/{pos}":    putFWRule,
	"DELETE /nodes/{node}/lxc/{vmid}/firewall/rules/{pos}": deleteFWRule,
	"GET /nodes/{node}/lxc/{vmid}/firewall/aliases":        emptyList,
	"GET /nodes/{node}/lxc/{vmid}/firewall/ipset":          emptyList,
	"GET /nodes/{node}/lxc/{vmid}/firewall/refs":           emptyList,
	"GET /nodes/{node}/lxc/{vmid}/firewall/log":            fwLog,
}
