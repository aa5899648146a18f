import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Shown, ValueQuery, ValueView } from "../../protocol.ts";
import { get, messageOf, pathOf } from "../api.ts";
import { size } from "../format.ts";
import { Icon } from "../parts/icons.tsx";
import { say } from "../parts/notices.tsx";
import { Rows } from "../parts/rows.tsx";
import { joined, jsonOf } from "./join.ts";
import { keyOf, type Line, linesOf, type Path } from "./lines.ts";

/** A value of a run: a tree that is opened where it is of interest, of which large parts are asked for when they are. */

/** Where the server has the value. */
export interface ValueSource {
  readonly runId: string;
  readonly of: ValueQuery["of"];
  readonly seq?: number;
}

export interface ValueProps {
  readonly view: Pick<ValueView, "value"> & Partial<ValueView>;
  /** What it is, such as `the arguments`. */
  readonly label: string;
  /** `null`: all that there is of it is here. */
  readonly source: ValueSource | null;
}

const LINE_HEIGHT = 20;

export function Value({ view, label, source }: ValueProps): JSX.Element {
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [loaded, setLoaded] = useState<ReadonlyMap<string, Shown>>(new Map());
  const [busy, setBusy] = useState(false);
  const lines = useMemo(() => linesOf({ toggled, loaded, whole: view.value }), [toggled, loaded, view.value]);

  const toggle = (path: Path): void => {
    const key = keyOf(path);
    const next = new Set(toggled);
    if (!next.delete(key)) next.add(key);
    setToggled(next);
  };
  const load = async (path: Path, offset: number): Promise<void> => {
    if (source === null || busy) return;
    setBusy(true);
    try {
      const part = await askFor(source, { path: JSON.stringify(path), offset });
      const before = offset === 0 ? null : partAt(view.value, loaded, path);
      const next = new Map(loaded);
      next.set(keyOf(path), before === null ? part.value : joined(before, part.value));
      setLoaded(next);
    } catch (error) {
      say(`The value cannot be loaded: ${messageOf(error)}`, { failed: true });
    }
    setBusy(false);
  };
  const copy = async (): Promise<void> => {
    try {
      const whole = view.cut === true && source !== null ? await askFor(source, { size: "all" }) : view;
      await navigator.clipboard.writeText(JSON.stringify(jsonOf(whole.value), null, 2));
      say(`Copied ${label} as JSON.`);
    } catch (error) {
      say(`It cannot be copied: ${messageOf(error)}`, { failed: true });
    }
  };

  return (
    <div class="value">
      <div class="value-head">
        {view.bytes !== undefined && view.bytes !== null && <span class="muted">{size(view.bytes)}</span>}
        <button
          type="button"
          class="icon-button"
          aria-label={`Copy ${label} as JSON`}
          title="Copy as JSON"
          onClick={copy}
        >
          <Icon name="copy" />
        </button>
      </div>
      {typeof view.unreadable === "string" && (
        <p class="hint">It cannot be read as it was written: {view.unreadable}</p>
      )}
      <Rows
        boxed
        as="list"
        class="value-lines"
        label={label}
        count={lines.length}
        height={LINE_HEIGHT}
        row={(index) => {
          const line = lines[index];
          return line === undefined ? null : (
            <ValueLine line={line} loadable={source !== null} toggle={toggle} load={load} />
          );
        }}
      />
    </div>
  );
}

function ValueLine(props: {
  readonly line: Line;
  readonly loadable: boolean;
  readonly toggle: (path: Path) => void;
  readonly load: (path: Path, offset: number) => Promise<void>;
}): JSX.Element {
  const { line, loadable, toggle, load } = props;
  const { path, depth, label, text, look, open, more } = line;
  const content = (
    <>
      {label !== "" && <span class="value-key">{label}</span>}
      <span class={`value-${look}`}>{text}</span>
    </>
  );
  const style = { paddingInlineStart: `${depth * 14 + 4}px` };
  if (open !== null) {
    return (
      <button
        type="button"
        class="value-line"
        style={style}
        aria-expanded={open}
        onClick={() => toggle(path)}
      >
        <Icon name={open ? "down" : "right"} />
        {content}
      </button>
    );
  }
  if (more !== null && loadable) {
    return (
      <button type="button" class="value-line" style={style} onClick={() => load(path, more.offset)}>
        <span class="value-gap" />
        {content}
        <span class="value-load">load</span>
      </button>
    );
  }
  return (
    <div class="value-line" style={style}>
      <span class="value-gap" />
      {content}
    </div>
  );
}

async function askFor(
  source: ValueSource,
  wanted: { readonly path?: string; readonly offset?: number; readonly size?: string },
): Promise<ValueView> {
  const { runId, of, seq } = source;
  return await get<ValueView>(pathOf("value", { id: runId }, { of, seq, ...wanted }));
}

/** What is known so far of a part. */
function partAt(whole: Shown, loaded: ReadonlyMap<string, Shown>, path: Path): Shown | null {
  let value: Shown = loaded.get("[]") ?? whole;
  for (const [depth, step] of path.entries()) {
    const inside = loaded.get(keyOf(path.slice(0, depth + 1))) ?? childOf(value, step);
    if (inside === undefined) return null;
    value = inside;
  }
  return value;
}

function childOf(value: Shown, step: string | number): Shown | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (value.type === "array" || value.type === "set") return value.items[Number(step)];
  if (value.type === "map") return value.entries[Number(step)]?.[1];
  if (value.type === "object") return value.entries.find(([key]) => key === step)?.[1];
  return undefined;
}
