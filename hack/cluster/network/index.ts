/** The networks that `up --network` knows. */
import type { PodNetwork } from "./network";
import { ovn } from "./ovn";
import { switched } from "./switched";

export const NETWORKS = { ovs: switched, ovn } as const satisfies Record<string, PodNetwork>;
export type NetworkName = keyof typeof NETWORKS;
export const NETWORK_NAMES = Object.keys(NETWORKS) as NetworkName[];
export type { PodNetwork } from "./network";
