/** One JSON line per message on stdout. Every room makes its own child logger, so that lines can be told apart by component. */
import { pino, type Logger } from "pino";

export type { Logger } from "pino";

const root = pino({ level: process.env["LOG_LEVEL"] ?? "info", base: null });

export function logger(component: string): Logger {
  return root.child({ component });
}
