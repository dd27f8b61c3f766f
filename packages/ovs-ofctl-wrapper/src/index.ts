/** The door of this package: a typed client of Open vSwitch. It knows nothing of Kubernetes. */
export { ok, fail } from "./result";
export type { OvsError, OvsOptions, Result } from "./result";
export { OpenFlow } from "./openflow";
export type { PortAction } from "./openflow";
export type { AggregateStatistics, OpenFlowPort, TableStatistics } from "./port";
export { LOCAL_PORT } from "./port";
export { ConnectionMonitor } from "./monitor";
export type { FlowEvent, MonitorEvent } from "./monitor";
export { formatChange, formatCookie, formatFilter, formatFlow, parseFlow, parseFlows } from "./flow";
export type { Flow, FlowChange, FlowEntry, FlowFilter } from "./flow";
export { canonicalActions } from "./canonical-actions";
export { canonicalMatch } from "./canonical-match";
export { diffFlows, flowKey } from "./diff";
export { Appctl } from "./appctl";
export type { Daemon } from "./appctl";
export { Ovsdb } from "./ovsdb/client";
export type { OvsdbOptions } from "./ovsdb/client";
export { Lock } from "./ovsdb/lock";
export { Replica } from "./ovsdb/replica";
export type { RowChange } from "./ovsdb/replica";
export type { Condition, Conditions, Mutation, Operation, OperationResult, WireRow } from "./ovsdb/operations";
export type { Row, SelectedRow, Selection, TableName, Tables } from "./ovsdb/tables";
export { fromWire, map, namedUuid, set, uuid } from "./ovsdb/values";
export type { Atom, Value, Wire } from "./ovsdb/values";
export { createPort, deletePort, readPort } from "./ovsdb/ports";
export type { NewPort, PortState } from "./ovsdb/ports";
export { flow, tables } from "./build/flow";
export type { FlowParts } from "./build/flow";
export { formatMatch, parseMatch } from "./build/match";
export type { Masked, Match, Protocol } from "./build/match";
export {
  formatActions,
  gotoTable,
  learn,
  move,
  output,
  parseActions,
  popVlan,
  resubmit,
  setField,
} from "./build/actions";
export type { Action } from "./build/actions";
