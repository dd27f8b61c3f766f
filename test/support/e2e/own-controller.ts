/**
 * The controller in the test's own process, instead of the ones that are deployed: with another way to the API server, another clock or
 * other settings, but with the deployed one's identity and rights. Started again when it loses the Lease, as the kubelet does it.
 */
import { KubeConfig } from "@kubernetes/client-node";
import { startController, type Controller } from "../../../capabilities/controller";
import {
  Connection,
  KubernetesClient,
  readEnvironment,
  systemClock,
  type Clock,
  type Environment,
  type KubernetesApi,
} from "../../../capabilities/engine";
import { CONTROLLER, OPERATOR_NAMESPACE, scale } from "./operator";
import type { Stage } from "./stage";

export interface OwnControllerOptions {
  /** Of the API server; the real one's, if left out. */
  server?: string;
  environment?: Partial<Environment>;
  clock?: Clock;
  /** Wraps the controller's client, to see what it does. */
  observe?: (api: KubernetesApi) => KubernetesApi;
}

interface Deployment {
  spec: { template: { spec: { containers: { env?: { name: string; value?: string }[] }[] } } };
}

export class OwnController {
  private controller: Controller | undefined;
  private starting: Promise<void> = Promise.resolve();
  private isStopped = false;
  /** How often it has lost the Lease. */
  losses = 0;

  private constructor(
    private readonly environment: Environment,
    private readonly connection: Connection,
    private readonly clock: Clock,
    private readonly observe: (api: KubernetesApi) => KubernetesApi,
  ) {}

  /** The deployed controllers must not run: see withoutDeployedControllers. */
  static async start(stage: Stage, options: OwnControllerOptions = {}): Promise<OwnController> {
    const { cluster, objects } = stage;
    const metadata = { namespace: OPERATOR_NAMESPACE, name: CONTROLLER };
    const deployment = await objects.read<Deployment>({ apiVersion: "apps/v1", kind: "Deployment", metadata });
    const variables = deployment?.spec.template.spec.containers[0]?.env ?? [];
    const deployed = readEnvironment(Object.fromEntries(variables.map(({ name, value }) => [name, value])));
    const token = (await cluster.kubectl(["create", "token", CONTROLLER, "--namespace", OPERATOR_NAMESPACE])).trim();
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const { server, caData, caFile } = config.getCurrentCluster()!;
    config.loadFromOptions({
      // The client takes plain HTTP only from somebody who says that it does not mind.
      clusters: [
        { name: "test", server: options.server ?? server, caData, caFile, skipTLSVerify: options.server !== undefined },
      ],
      users: [{ name: "test", token }],
      contexts: [{ name: "test", cluster: "test", user: "test" }],
      currentContext: "test",
    });
    const environment = { ...deployed, podName: "own-controller", ...options.environment };
    const { clock = systemClock, observe = (api): KubernetesApi => api } = options;
    const own = new OwnController(environment, new Connection(config), clock, observe);
    await own.begin();
    return own;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.starting;
    await this.controller?.stop();
    this.connection.close();
  }

  private async begin(): Promise<void> {
    const { connection } = this;
    this.controller = await startController(this.environment, {
      clock: this.clock,
      connect: (metrics, mayWrite) => this.observe(new KubernetesClient({ connection, metrics, mayWrite })),
      onLost: () => {
        this.losses += 1;
        this.starting = this.again();
      },
    });
  }

  private async again(): Promise<void> {
    await this.controller?.stop();
    if (!this.isStopped) await this.begin();
  }
}

/** Scales them to none meanwhile. */
export async function withoutDeployedControllers<T>(stage: Stage, act: () => Promise<T>): Promise<T> {
  await scale(stage.objects, CONTROLLER, 0);
  try {
    return await act();
  } finally {
    await scale(stage.objects, CONTROLLER, 2);
  }
}
