package pveapi

// qemuOptionsTable holds a VM's configuration options and their property strings.
const qemuOptionsTable = `


`
