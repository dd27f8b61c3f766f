/** One JSON text per value, and its hash: what makes two plans comparable. */
import { createHash } from "node:crypto";

/** JSON with sorted keys and without undefined fields. Written for speed. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  let json = "";
  if (Array.isArray(value)) {
    for (const item of value) json += `${json === "" ? "" : ","}${canonicalJson(item)}`;
    return `[${json}]`;
  }
  const fields = value as Record<string, unknown>;
  for (const key of Object.keys(fields).sort()) {
    const field = fields[key];
    if (field !== undefined) json += `${json === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(field)}`;
  }
  return `{${json}}`;
}

/** The first 32 hexadecimal digits of the SHA-256 of the canonical JSON. */
export function hashOf(value: unknown): string {
  return hashOfText(canonicalJson(value));
}

/** The same of a text that is canonical JSON already. */
export function hashOfText(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
