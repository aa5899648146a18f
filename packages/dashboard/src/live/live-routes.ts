import { apiError, failureOf } from "../answers.ts";
import { numberIn, readRunQuery, textIn } from "../api/read-query.ts";
import { stateView } from "../api/run-values.ts";
import { countsOf } from "../api/runs.ts";
import type { StreamChunkView } from "../protocol.ts";
import type { Call } from "../routes.ts";
import type { Store } from "../store.ts";
import { runPage, runRow } from "../views/run-row.ts";
import { shown } from "../views/shown.ts";
import { thrownView } from "../views/timeline-view.ts";
import { INLINE } from "../views/value-view.ts";
import { eventStream } from "./event-stream.ts";
import type { LiveEvent, Question } from "./live-looks.ts";

/** What is told as it happens: a list of runs, one run, a stream. */

/** GET `api/live/runs` */
export function liveRuns({ store, query }: Call): Response {
  const asked = readRunQuery(query);
  return watched(store, {
    key: `runs ${JSON.stringify(asked)}`,
    runId: null,
    look: async () => {
      const [page, counts] = await Promise.all([
        store.ask((world) => world.listRuns(asked)),
        countsOf(store, filterOf(asked)),
      ]);
      return [
        { event: "page", data: runPage(page) },
        { event: "counts", data: counts },
      ];
    },
  });
}

function filterOf({
  limit: _,
  order: __,
  cursor: ___,
  ...filter
}: ReturnType<typeof readRunQuery>): Omit<ReturnType<typeof readRunQuery>, "limit" | "order" | "cursor"> {
  return filter;
}

/** GET `api/live/runs/:id` */
export function liveRun({ store, params }: Call): Response {
  const runId = params.id as string;
  return watched(store, {
    key: `run ${runId}`,
    runId,
    look: async () => {
      const [run] = await store.ask((world) => world.getRuns([runId]));
      if (run === null || run === undefined) return [{ event: "gone", data: null }];
      const state: LiveEvent[] =
        run.state === null ? [] : [{ event: "state", data: stateView(run.state, INLINE) }];
      return [{ event: "run", data: runRow(run) }, ...state];
    },
  });
}

function watched(store: Store, question: Question): Response {
  const look = async (): Promise<readonly LiveEvent[]> => {
    try {
      return await question.look();
    } catch (error) {
      return [{ event: "trouble", data: apiError(failureOf(error)) }];
    }
  };
  return eventStream((sink) =>
    store.looks.watch({ ...question, look }, (event, text) => sink.send(event, text)),
  );
}

/** GET `api/runs/:id/stream` */
export function liveStream({ store, request, params, query }: Call): Response {
  const namespace = textIn(query, "namespace");
  const lastId = Number(request.headers.get("last-event-id") ?? Number.NaN);
  const start = Number.isInteger(lastId)
    ? lastId + 1
    : (numberIn(query, "start", { least: Number.MIN_SAFE_INTEGER }) ?? 0);
  const controller = new AbortController();
  const chunks = store.client.getRun(params.id as string).chunks<unknown>({
    startIndex: start,
    signal: controller.signal,
    ...(namespace !== null && { namespace }),
  });
  return eventStream((sink) => {
    const send = async (): Promise<void> => {
      try {
        for await (const { index, data, stepId, attempt } of chunks) {
          const { value } = shown(data, { size: 20_000 });
          const view: StreamChunkView = { index, value, stepId, attempt };
          sink.send("chunk", JSON.stringify(view), String(index));
          await sink.ready;
        }
        if (!controller.signal.aborted) sink.send("end", "null");
      } catch (error) {
        sink.send("failed", JSON.stringify(thrownView(error)));
      }
      sink.end();
    };
    void send();
    return () => controller.abort();
  });
}
