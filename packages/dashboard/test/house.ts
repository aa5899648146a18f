import { start } from "@perdure/core/api";
import { createWorker, type Worker } from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { createDashboard, type Dashboard, type DashboardOptions } from "@perdure/dashboard";
import { onTestFinished } from "vitest";

/** A store in memory with a dashboard before it, and a worker where a test wants one. */

type WorkflowLike = (...args: never[]) => Promise<unknown>;

export interface House {
  readonly world: World;
  readonly worker: Worker | null;
  readonly dashboard: Dashboard;
  /** The JSON of a GET below `/ops/`. */
  get<T>(path: string): Promise<T>;
  /** The answer to a POST below `/ops/`. */
  send(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Its JSON, where it is 200. */
  post<T>(path: string, body: unknown): Promise<T>;
  begin(
    workflow: WorkflowLike,
    args?: unknown[],
    options?: object,
  ): Promise<{ readonly runId: string; readonly returnValue: Promise<unknown> }>;
}

export const ORIGIN = "http://localhost:4318";

export async function house(
  options: Partial<DashboardOptions> & { readonly worker?: boolean } = {},
): Promise<House> {
  const { worker: wanted = true, ...rest } = options;
  const world = rest.world ?? memoryWorld();
  const worker = wanted ? createWorker({ world, logger: "silent" }) : null;
  await (worker === null ? world.open() : worker.start());
  onTestFinished(() => worker?.close());
  const dashboard = createDashboard({ basePath: "/ops", ...rest, world });
  const send: House["send"] = async (path, body, headers = {}) =>
    await dashboard(
      new Request(`${ORIGIN}/ops/${path}`, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers: { "content-type": "application/json", ...headers },
      }),
    );
  return {
    ...{ world, worker, dashboard, send },
    async get<T>(path: string): Promise<T> {
      return (await checked(await dashboard(new Request(`${ORIGIN}/ops/${path}`)))) as T;
    },
    async post<T>(path: string, body: unknown): Promise<T> {
      return (await checked(await send(path, body))) as T;
    },
    async begin(workflow, args = [], given = {}) {
      return await start(workflow as never, args as never, { ...given, world });
    },
  };
}

async function checked(answer: Response): Promise<unknown> {
  const value: unknown = await answer.json();
  if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(value)}`);
  return value;
}

/** Asks until what is answered is so. */
export async function until<T>(ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Events of an answer, as they come. */
export async function* eventsOf(
  answer: Response,
): AsyncGenerator<{ event: string; data: unknown; id: string | null }> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of answer.body ?? []) {
    text += decoder.decode(part as Uint8Array, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = new Map(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
      );
      text = text.slice(end + 2);
      const event = fields.get("event");
      if (event !== undefined) {
        yield { event, data: JSON.parse(fields.get("data") ?? "null"), id: fields.get("id") ?? null };
      }
    }
  }
}

/** Reads events until one is so, and closes the answer. */
export async function eventUntil(
  answer: Response,
  isSo: (event: { event: string; data: unknown }) => boolean,
): Promise<unknown> {
  for await (const event of eventsOf(answer)) if (isSo(event)) return event.data;
  throw new Error("The events ended before.");
}
