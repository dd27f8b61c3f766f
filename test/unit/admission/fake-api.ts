/** An API server in memory, in the verbs and for the objects that the certificates need. */
import type { ApiResult, KubernetesApi, ListPage, ObjectPath } from "../../../capabilities/engine";
import { pathOf } from "../../../capabilities/engine";

type Stored = Record<string, unknown> & { metadata: { name: string; resourceVersion: string } };

export class FakeApi implements Partial<KubernetesApi> {
  readonly objects = new Map<string, Stored>();
  /** "POST /api/v1/…", in order. */
  readonly writes: string[] = [];
  /** Asked before each write; a failure takes its place. */
  refuse: (write: string) => ApiResult<never> | undefined = () => undefined;
  private version = 0;

  put(path: ObjectPath, object: object): void {
    const metadata = { name: path.name ?? "", resourceVersion: String(++this.version) };
    this.objects.set(pathOf(path), { ...structuredClone(object), metadata });
  }

  read(path: ObjectPath): Stored | undefined {
    return this.objects.get(pathOf(path));
  }

  get<T>(path: ObjectPath): Promise<ApiResult<T>> {
    const found = this.read(path);
    return answer(found === undefined ? failure(404) : { ok: true, value: structuredClone(found) as T });
  }

  /** All of that resource and namespace, whatever the selector. */
  list<T>(path: ObjectPath): Promise<ApiResult<ListPage<T>>> {
    const items = [...this.objects]
      .filter(([at]) => at.startsWith(`${pathOf(path)}/`))
      .map(([, object]) => object as T);
    return answer({ ok: true, value: { metadata: { resourceVersion: String(this.version) }, items } });
  }

  create<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>> {
    const { name } = (body as Stored).metadata;
    return this.write<T>("POST", { ...path, name }, (at) => {
      this.put(at, secretOf(body));
      return undefined;
    });
  }

  replace<T>(path: ObjectPath, body: unknown): Promise<ApiResult<T>> {
    return this.write<T>("PUT", path, (at, found) => {
      if ((body as Stored).metadata.resourceVersion !== found?.metadata.resourceVersion) return failure(409);
      this.put(at, secretOf(body));
      return undefined;
    });
  }

  jsonPatch<T>(path: ObjectPath, patch: { op: string; path: string; value?: unknown }[]): Promise<ApiResult<T>> {
    return this.write<T>("PATCH", path, (at, found) => {
      const object = structuredClone(found) as Record<string, unknown>;
      for (const { op, path: pointer, value } of patch) {
        const keys = pointer.split("/").slice(1);
        const last = keys.pop()!;
        const parent = keys.reduce((at, key) => at[key] as Record<string, unknown>, object);
        if (op === "test" && parent[last] !== value) return failure(422);
        if (op === "add") parent[last] = value;
      }
      this.put(at, object);
      return undefined;
    });
  }

  private write<T>(
    verb: string,
    path: ObjectPath,
    act: (path: ObjectPath, found: Stored | undefined) => ApiResult<never> | undefined,
  ): Promise<ApiResult<T>> {
    const write = `${verb} ${path.resource.plural}`;
    this.writes.push(write);
    const refused = this.refuse(write) ?? act(path, this.read(path));
    return answer(refused ?? { ok: true, value: this.read(path) as T });
  }
}

/** stringData becomes data, as the API server does it. */
function secretOf(body: unknown): object {
  const { stringData, ...rest } = body as { stringData: Record<string, string> };
  const data = Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString("base64")] as const);
  return { ...rest, data: Object.fromEntries(data) };
}

function failure(code: number): ApiResult<never> {
  return { ok: false, code, reason: "Refused", message: `refused with ${code}` };
}

function answer<T>(result: ApiResult<T>): Promise<ApiResult<T>> {
  return Promise.resolve(result);
}
