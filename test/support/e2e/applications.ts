/** Applications of Argo CD, and the git repository that they come from. Used by test/e2e/argo-cd.test.ts. */
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { ARGO_NAMESPACE } from "./argo-cd";
import { eventually } from "./eventually";
import type { Objects, Reference } from "./objects";

const API_VERSION = "argoproj.io/v1alpha1";

/** A repository on this machine, with one branch. */
export class Repository {
  private constructor(private readonly directory: string) {}

  static async create(): Promise<Repository> {
    const repository = new Repository(await mkdtemp(path.join(tmpdir(), "repository-")));
    await repository.git("init", "--quiet", "--initial-branch=main");
    return repository;
  }

  get url(): string {
    return `file://${this.directory}`;
  }

  /** Copies files and folders of the project into it, links as links. */
  async copy(root: string, ...names: string[]): Promise<void> {
    for (const name of names)
      await cp(path.join(root, name), path.join(this.directory, name), { recursive: true, verbatimSymlinks: true });
  }

  /** Commits these files; undefined removes one. */
  async commit(files: Record<string, object | undefined>): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(this.directory, name);
      await mkdir(path.dirname(file), { recursive: true });
      if (content === undefined) await rm(file);
      else await writeFile(file, JSON.stringify(content, undefined, 2));
    }
    await this.git("add", "--all");
    await this.git("commit", "--quiet", "--message", Object.keys(files).join(" "));
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  private async git(...args: string[]): Promise<void> {
    const author = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
    await execa("git", ["-C", this.directory, ...author, ...args], { stdin: "ignore" });
  }
}

export interface Health {
  status?: string;
  message?: string;
}

/** In the parts that the tests look at. */
export interface ApplicationState {
  metadata: { resourceVersion: string };
  status?: {
    sync?: { status: string; revision?: string };
    health?: Health;
    resources?: { kind: string; name: string; status?: string; health?: Health }[];
    conditions?: { type: string; message: string }[];
    history?: unknown[];
    operationState?: {
      phase: string;
      message?: string;
      finishedAt?: string;
      syncResult?: { resources?: { kind: string; name: string; status: string; message: string }[] };
    };
  };
}

export interface ApplicationOptions {
  name: string;
  repository: Repository;
  /** Folder in the repository. */
  path: string;
  namespace: string;
  /** Values of a chart. */
  values?: object;
}

export class Application {
  constructor(
    private readonly objects: Objects,
    private readonly options: ApplicationOptions,
  ) {}

  get name(): string {
    return this.options.name;
  }

  /** Synchronized by itself, healed and pruned; deleted with everything that it has made. */
  async apply({ serverSideDiff = false } = {}): Promise<void> {
    const { name, repository, namespace, values } = this.options;
    const helm = values === undefined ? {} : { helm: { valuesObject: values } };
    await this.objects.apply({
      ...{ apiVersion: API_VERSION, kind: "Application" },
      metadata: {
        ...{ name, namespace: ARGO_NAMESPACE, finalizers: ["resources-finalizer.argocd.argoproj.io/background"] },
        annotations: { "argocd.argoproj.io/compare-options": `ServerSideDiff=${serverSideDiff}` },
      },
      spec: {
        project: "default",
        source: { repoURL: repository.url, path: this.options.path, targetRevision: "main", ...helm },
        destination: { server: "https://kubernetes.default.svc", namespace },
        syncPolicy: { automated: { prune: true, selfHeal: true }, retry: { limit: 0 } },
      },
    });
  }

  read(): Promise<ApplicationState | undefined> {
    return this.objects.read<ApplicationState>(this.reference);
  }

  /** Has Argo CD look at the repository now; "hard" also forgets what it has rendered. */
  async refresh(how: "normal" | "hard" = "normal"): Promise<void> {
    const annotations = { "argocd.argoproj.io/refresh": how };
    await this.objects.patch({
      ...this.reference,
      metadata: { ...this.reference.metadata, annotations },
    });
  }

  /** Refreshes, and waits until Argo CD has done so. */
  async refreshed(how: "normal" | "hard" = "normal"): Promise<ApplicationState> {
    await this.refresh(how);
    return this.shows(
      "it is refreshed",
      ({ metadata }) => !("argocd.argoproj.io/refresh" in (metadata.annotations ?? {})),
    );
  }

  /** Waits until its state is so. */
  shows(what: string, is: (state: State) => boolean, seconds = 60): Promise<ApplicationState> {
    return eventually(
      `Application ${this.name}: ${what}`,
      async () => {
        const state = await this.objects.read<State>(this.reference);
        if (state !== undefined && is(state)) return state;
        throw new Error(summary(state));
      },
      { seconds, pauseMilliseconds: 100 },
    );
  }

  /** Everything is as in the repository, and well. */
  inSync(seconds?: number): Promise<ApplicationState> {
    return this.shows(
      "it is Synced and Healthy",
      ({ status }) => status?.sync?.status === "Synced" && status.health?.status === "Healthy",
      seconds,
    );
  }

  /** Deletes it, and leaves what it has made. */
  async abandon(): Promise<void> {
    if ((await this.read()) === undefined) return;
    const metadata = { ...this.reference.metadata, finalizers: null };
    await this.objects.patch({ ...this.reference, metadata });
    await this.objects.delete(this.reference);
  }

  /** Begins its deletion, which takes with it what it has made. */
  async delete(): Promise<void> {
    await this.objects.delete(this.reference);
  }

  async deleted(seconds = 60): Promise<void> {
    await this.delete();
    await eventually(
      `Application ${this.name} is gone`,
      async () => {
        const state = await this.read();
        if (state === undefined) return true;
        throw new Error(summary(state));
      },
      { seconds, pauseMilliseconds: 100 },
    );
  }

  private get reference(): Reference {
    return { apiVersion: API_VERSION, kind: "Application", metadata: { name: this.name, namespace: ARGO_NAMESPACE } };
  }
}

type State = ApplicationState & { metadata: { annotations?: Record<string, string> } };

/** Health of one of its objects, as Argo CD has it. */
export function healthOf(state: ApplicationState, kind: string, name: string): Health | undefined {
  return state.status?.resources?.find((each) => each.kind === kind && each.name === name)?.health;
}

function summary(state: ApplicationState | undefined): string {
  const { sync, health, conditions, operationState, resources = [] } = state?.status ?? {};
  const wrong = resources.filter((each) => each.status !== "Synced" || each.health?.status !== "Healthy");
  return JSON.stringify({
    sync: sync?.status,
    health,
    conditions,
    phase: operationState?.phase,
    message: operationState?.message,
    wrong,
  });
}
