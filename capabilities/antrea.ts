/**
 * What Antrea's presence means for the controller: whether its own agents act on TrafficControls, so that ours must not, and
 * whether the CRD of the shared name is one without our status. Pure; asked by the replicas (replicas.ts).
 */
import { parse } from "yaml";
import { TRAFFIC_CONTROL } from "./api";
import type { RawObject } from "./engine";

/** Name of the ConfigMap with the agents' configuration since Antrea 1.8, and its key (build/charts/antrea/templates). */
export const ANTREA_CONFIG = { name: "antrea-config", agent: "antrea-agent.conf" } as const;

export const DEFINITION = `${TRAFFIC_CONTROL.plural}.${TRAFFIC_CONTROL.group}`;

export interface RawAntreaConfig extends RawObject {
  data?: Record<string, string>;
}

export interface AntreaFacts {
  /** Its feature gate TrafficControl is on: the agents mirror and redirect. */
  servesTrafficControl: boolean;
}

/**
 * The gate is alpha and off by default; AllAlpha turns it on where it is not named itself (k8s.io/component-base/featuregate).
 * What cannot be read no agent has started with.
 */
export function antreaFacts({ data }: RawAntreaConfig): AntreaFacts {
  const gates = featureGates(data?.[ANTREA_CONFIG.agent] ?? "");
  return { servesTrafficControl: (gates["TrafficControl"] ?? gates["AllAlpha"]) === true };
}

function featureGates(configuration: string): Record<string, unknown> {
  try {
    const { featureGates: gates } = (parse(configuration) ?? {}) as { featureGates?: unknown };
    return gates !== null && typeof gates === "object" ? (gates as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

export interface RawDefinition extends RawObject {
  spec: {
    versions: {
      name: string;
      subresources?: { status?: unknown };
      schema?: { openAPIV3Schema?: { properties?: Record<string, { properties?: Record<string, unknown> }> } };
    }[];
  };
}

export interface DefinitionFacts {
  /** It stores no status: Antrea's own. What we wrote there would be gone at once, and we would write it again, for ever. */
  isForeign: boolean;
}

export function definitionFacts({ spec }: RawDefinition): DefinitionFacts {
  const version = spec.versions.find(({ name }) => name === TRAFFIC_CONTROL.version);
  const status = version?.schema?.openAPIV3Schema?.properties?.["status"];
  return { isForeign: version?.subresources?.status === undefined || status?.properties?.["conditions"] === undefined };
}
