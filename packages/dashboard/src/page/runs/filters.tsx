import type { JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Counts, RunStatus } from "../../protocol.ts";
import { count } from "../format.ts";
import { info } from "../info.ts";
import { Icon } from "../parts/icons.tsx";
import { RunLink } from "../parts/run-link.tsx";
import { STATUSES } from "../parts/status.tsx";
import { change, filter, isFiltered, SPANS } from "./filter.ts";

/** The filters of the list of runs. */

const TYPING_PAUSE = 250;

/** The search: by run id, key, token, attribute or workflow. */
export function Search(): JSX.Element {
  const id = useId();
  const { search } = filter.value;
  const field = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    // The address may change without the field: a step back, a link.
    if (field.current !== null && document.activeElement !== field.current) field.current.value = search;
  }, [search]);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      const typing = (event.target as Element).closest("input, textarea, select, dialog") !== null;
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
  const onInput = (event: Event): void => {
    clearTimeout(timer.current);
    const { value } = event.target as HTMLInputElement;
    timer.current = setTimeout(() => change({ search: value.trim() }), TYPING_PAUSE);
  };
  return (
    <search class="search">
      <Icon name="search" />
      <label class="unseen" for={id}>
        Search runs
      </label>
      <input
        id={id}
        ref={field}
        type="search"
        placeholder="Run id, key, token, or name=value"
        autocomplete="off"
        spellcheck={false}
        defaultValue={search}
        onInput={onInput}
      />
      <kbd title="Press / to search">/</kbd>
    </search>
  );
}

/** How many runs there are in each status; choosing some shows only them. */
export function StatusFilter({ counts }: { readonly counts: Counts | null }): JSX.Element {
  const { statuses } = filter.value;
  const all = counts === null ? null : STATUSES.reduce((sum, status) => sum + counts.counts[status], 0);
  const toggle = (status: RunStatus): void => {
    const next = statuses.includes(status) ? statuses.filter((one) => one !== status) : [...statuses, status];
    change({ statuses: next });
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as a row in every browser.
    <div class="status-filter" role="group" aria-label="Filter by status">
      <button type="button" aria-pressed={statuses.length === 0} onClick={() => change({ statuses: [] })}>
        all
        <HowMany of={all} />
      </button>
      {STATUSES.map((status) => (
        <button
          key={status}
          type="button"
          class={`is-${status}`}
          aria-pressed={statuses.includes(status)}
          onClick={() => toggle(status)}
        >
          <Icon name={status} />
          {status}
          <HowMany of={counts?.counts[status] ?? null} />
        </button>
      ))}
    </div>
  );
}

function HowMany({ of }: { readonly of: number | null }): JSX.Element {
  return <span class="number">{of === null ? "–" : count(of)}</span>;
}

/** Workflow, attributes, age, and the run that started them. */
export function MoreFilters(): JSX.Element {
  const { workflow, attributes, span, parent } = filter.value;
  const workflows = info.value?.workflows ?? [];
  const known = workflow === "" || workflows.includes(workflow) ? workflows : [...workflows, workflow];
  const [workflowId, spanId] = [useId(), useId()];
  return (
    <div class="filters">
      <label class="unseen" for={workflowId}>
        Workflow
      </label>
      <select
        id={workflowId}
        value={workflow}
        onChange={(event) => change({ workflow: event.currentTarget.value })}
      >
        <option value="">Every workflow</option>
        {known.map((id) => (
          <option key={id} value={id}>
            {id}
          </option>
        ))}
      </select>
      <label class="unseen" for={spanId}>
        Created
      </label>
      <select id={spanId} value={span} onChange={(event) => change({ span: event.currentTarget.value })}>
        <option value="">Created at any time</option>
        {SPANS.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <AttributeField />
      {attributes.map((attribute) => (
        <button
          key={attribute}
          type="button"
          class="chip"
          aria-label={`Take out the filter ${attribute}`}
          onClick={() => change({ attributes: attributes.filter((one) => one !== attribute) })}
        >
          {attribute}
          <Icon name="close" />
        </button>
      ))}
      {parent !== "" && (
        <span class="chip">
          started by <RunLink runId={parent} />
          <button
            type="button"
            class="icon-button"
            aria-label="Take out the filter by the run that started them"
            onClick={() => change({ parent: "" })}
          >
            <Icon name="close" />
          </button>
        </span>
      )}
      {isFiltered(filter.value) && (
        <button
          type="button"
          class="text-button"
          onClick={() => change({ statuses: [], workflow: "", attributes: [], parent: "", span: "" })}
        >
          Take out all filters
        </button>
      )}
    </div>
  );
}

function AttributeField(): JSX.Element {
  const [wrong, setWrong] = useState(false);
  const id = useId();
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).elements.namedItem("attribute") as HTMLInputElement;
    const attribute = field.value.trim();
    const isWrong = attribute !== "" && attribute.indexOf("=") < 1;
    setWrong(isWrong);
    if (isWrong) return;
    field.value = "";
    if (attribute !== "") change({ attributes: [...new Set([...filter.value.attributes, attribute])] });
  };
  return (
    <form class="attribute-field" onSubmit={onSubmit}>
      <label class="unseen" for={id}>
        Attribute, as name=value; Enter adds it
      </label>
      <input
        id={id}
        name="attribute"
        type="text"
        placeholder="attribute=value"
        autocomplete="off"
        spellcheck={false}
        aria-invalid={wrong}
        aria-describedby={wrong ? `${id}-wrong` : undefined}
      />
      {wrong && (
        <span class="field-error" id={`${id}-wrong`} role="alert">
          Write it as name=value.
        </span>
      )}
    </form>
  );
}
