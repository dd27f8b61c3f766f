/**
 * The Pod that looks at copies on a node: the host's network and the right to open raw sockets, nothing else. No privileges, no
 * host path, no token; it ends by itself if the plugin cannot delete it. Pure.
 */
import { tcpdump, type Where } from "./where";

export interface CapturePod {
  name: string;
  namespace: string;
  node: string;
  image: string;
  where: Where;
}

/** Longer than anybody looks. */
const DEADLINE_SECONDS = 3_600;

export function capturePod({ name, namespace, node, image, where }: CapturePod): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { "app.kubernetes.io/name": "kubectl-trafficcontrol" } },
    spec: {
      nodeName: node,
      hostNetwork: true,
      restartPolicy: "Never",
      activeDeadlineSeconds: DEADLINE_SECONDS,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      tolerations: [{ operator: "Exists" }],
      containers: [
        {
          name: "tcpdump",
          image,
          imagePullPolicy: "IfNotPresent",
          command: tcpdump(where),
          securityContext: {
            runAsUser: 0,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            // The last two: tcpdump sets its user even if that is the one it has.
            capabilities: { drop: ["ALL"], add: ["NET_RAW", "SETUID", "SETGID"] },
            seccompProfile: { type: "RuntimeDefault" },
          },
          resources: { limits: { memory: "128Mi" } },
        },
      ],
    },
  };
}
