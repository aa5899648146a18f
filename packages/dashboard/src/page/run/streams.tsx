import { type Signal, signal } from "@preact/signals";
import type { JSX } from "preact";
import { useId, useMemo, useState } from "preact/hooks";
import type { ErrorView, RunDetail, Shown, StreamChunkView } from "../../protocol.ts";
import { pathOf } from "../api.ts";
import { counted } from "../format.ts";
import { type LiveState, useLive } from "../live.ts";
import { Rows } from "../parts/rows.tsx";
import { Empty } from "../parts/states.tsx";
import { ErrorBox } from "../value/error.tsx";
import { keyOf, linesOf } from "../value/lines.ts";
import { Value } from "../value/value.tsx";

/** The streams of a run, as they are written. */

const ROW = 26;
const OWN = "";

export function Streams({ detail }: { readonly detail: RunDetail }): JSX.Element {
  const { run, streams } = detail;
  const [chosen, choose] = useState<string | null>(null);
  const id = useId();
  if (streams.length === 0) {
    return (
      <Empty title="The run has written no stream.">
        <p>
          Steps write one with <code>getWritable()</code>; it appears here while it is written.
        </p>
      </Empty>
    );
  }
  const names = streams.map((namespace) => namespace ?? OWN);
  const namespace = chosen ?? names[0] ?? OWN;
  return (
    <section aria-label="Streams" class="streams">
      {names.length > 1 && (
        <div class="toolbar">
          <label for={id}>Stream</label>
          <select id={id} value={namespace} onChange={(event) => choose(event.currentTarget.value)}>
            {names.map((name) => (
              <option key={name} value={name}>
                {name === OWN ? "the run's own" : name}
              </option>
            ))}
          </select>
        </div>
      )}
      <Stream key={namespace} runId={run.runId} namespace={namespace} />
    </section>
  );
}

class Chunks {
  readonly all: Signal<readonly StreamChunkView[]> = signal([]);
  readonly state: Signal<LiveState> = signal("connecting");
  readonly error: Signal<ErrorView | null> = signal(null);
  #arrived: StreamChunkView[] = [];

  /** Many may arrive between two drawings of the screen. */
  add = (chunk: StreamChunkView): void => {
    this.#arrived.push(chunk);
    if (this.#arrived.length > 1) return;
    requestAnimationFrame(() => {
      const last = this.all.value.at(-1)?.index ?? -1;
      // After a broken connection some may come again.
      this.all.value = [...this.all.value, ...this.#arrived.filter(({ index }) => index > last)];
      this.#arrived = [];
    });
  };
}

function Stream({ runId, namespace }: { readonly runId: string; readonly namespace: string }): JSX.Element {
  const chunks = useMemo(() => new Chunks(), []);
  const [asText, setAsText] = useState(true);
  const [selected, select] = useState<number | null>(null);
  useLive(
    pathOf("stream", { id: runId }, { namespace }),
    {
      chunk: chunks.add,
      end: () => {},
      failed: (error: ErrorView) => {
        chunks.error.value = error;
      },
    },
    chunks.state,
  );
  const all = chunks.all.value;
  const texts = all.every(({ value }) => textOf(value) !== null);
  const chosen = all.find(({ index }) => index === selected);
  return (
    <>
      <div class="toolbar">
        <span class={`live live-${chunks.state.value}`}>
          <span class="live-dot" aria-hidden="true" />
          {counted(all.length, "chunk")}
          {chunks.state.value === "ended" ? ", ended" : ", live"}
        </span>
        {texts && all.length > 0 && (
          <button type="button" class="button" aria-pressed={asText} onClick={() => setAsText(!asText)}>
            As one text
          </button>
        )}
      </div>
      {chunks.error.value !== null && <ErrorBox title="Ended by" error={chunks.error.value} />}
      {texts && asText && all.length > 0 ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls.
        <section class="stream-text" tabIndex={0} aria-label="The stream as one text">
          {all.map(({ value }) => textOf(value)).join("")}
        </section>
      ) : (
        <Rows
          boxed
          as="list"
          class="stream-rows"
          label="Chunks of the stream"
          count={all.length}
          height={ROW}
          row={(index) => {
            const chunk = all[index];
            return chunk === undefined ? null : (
              <button
                type="button"
                class="stream-chunk"
                aria-pressed={chunk.index === selected}
                onClick={() => select(chunk.index === selected ? null : chunk.index)}
              >
                <span class="muted">{chunk.index}</span>
                <span class="code">{lineOf(chunk.value)}</span>
                {chunk.attempt !== null && chunk.attempt > 1 && (
                  <span class="tag">attempt {chunk.attempt}</span>
                )}
              </button>
            );
          }}
        />
      )}
      {chosen !== undefined && (
        <Value label={`chunk ${chosen.index}`} view={{ value: chosen.value }} source={null} />
      )}
    </>
  );
}

function textOf(value: Shown): string | null {
  if (typeof value === "string") return value;
  return typeof value === "object" && value?.type === "text" ? value.text : null;
}

/** The value in one line. */
function lineOf(whole: Shown): string {
  const closed = new Set([keyOf([])]);
  return linesOf({ whole, toggled: closed, loaded: new Map() })[0]?.text ?? "";
}
