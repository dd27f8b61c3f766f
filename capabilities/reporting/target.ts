/** The target port in short, for the printer column and for sentences: "vxlan:10.0.10.2", "ovsInternal:tap0". */
import type { TargetPort } from "../api";

export function targetText(port: TargetPort): string {
  const [kind, fields] = Object.entries(port)[0] ?? [];
  if (kind === undefined || fields === undefined) return "";
  return `${kind}:${"name" in fields ? fields.name : fields.remoteIP}`;
}
