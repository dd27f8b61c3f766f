/** The door of this package: the programmer without its process, for tests and tools. */
export { runProgrammer } from "./programmer";
export type { Log, PlanSource, ProgrammerOptions, StatusSink } from "./options";
