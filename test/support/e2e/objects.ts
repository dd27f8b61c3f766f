/**
 * The cluster's API as the end-to-end tests and the benchmarks use it: any kind of object, in this process, without
 * the 100 ms that each kubectl takes. Only inside the namespace of the cluster's machine.
 */
import { ApiException, KubeConfig, KubernetesObjectApi, PatchStrategy } from "@kubernetes/client-node";
import type { KubernetesObject } from "@kubernetes/client-node";

export interface Reference {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
}

type Nullable = Record<string, string | null>;

/** Parts of an object that shall change, with what names it. */
export interface Patch {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Nullable;
    annotations?: Nullable;
    finalizers?: string[] | null;
  };
  spec?: object;
}

/** What every object has, however much more its type says. */
export interface AnyObject {
  apiVersion?: string;
  kind?: string;
  metadata?: { name?: string; namespace?: string };
}

const FIELD_MANAGER = "e2e";

export class Objects {
  private constructor(private readonly api: KubernetesObjectApi) {}

  static connect(kubeconfig: string): Objects {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    return new Objects(KubernetesObjectApi.makeApiClient(config));
  }

  /** Server-side apply: what is there already is brought into line. */
  async apply<T extends AnyObject>(object: T): Promise<T> {
    const strategy = PatchStrategy.ServerSideApply;
    return (await this.api.patch(asKubernetes(object), undefined, undefined, FIELD_MANAGER, true, strategy)) as T;
  }

  async create<T extends AnyObject>(object: T): Promise<T> {
    return (await this.api.create(asKubernetes(object), undefined, undefined, FIELD_MANAGER)) as T;
  }

  /** Merge patch: what is null is removed. */
  async patch<T extends AnyObject>(object: Patch): Promise<T> {
    const strategy = PatchStrategy.MergePatch;
    return (await this.api.patch(
      asKubernetes(object as AnyObject),
      undefined,
      undefined,
      FIELD_MANAGER,
      undefined,
      strategy,
    )) as unknown as T;
  }

  async read<T>(reference: Reference): Promise<T | undefined> {
    try {
      return (await this.api.read(header(reference))) as T;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async list<T>(apiVersion: string, kind: string, namespace?: string, labelSelector?: string): Promise<T[]> {
    const none = undefined;
    const list = await this.api.list(apiVersion, kind, namespace, none, none, none, none, labelSelector);
    return list.items as T[];
  }

  /** Returns when the API server has accepted the deletion; false if there was no such object. */
  async delete(reference: Reference, graceSeconds?: number): Promise<boolean> {
    const none = undefined;
    try {
      await this.api.delete(header(reference), none, none, graceSeconds, none, "Background");
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }
}

function header({ apiVersion, kind, metadata: { name, namespace } }: Reference): Reference {
  return { apiVersion, kind, metadata: namespace === undefined ? { name } : { name, namespace } };
}

function isNotFound(error: unknown): boolean {
  return error instanceof ApiException && error.code === 404;
}

/** The client's own type of an object says nothing about its contents. */
function asKubernetes(object: AnyObject): KubernetesObject {
  return object as KubernetesObject;
}
