import type { JSX } from "preact";
import type { ValueView } from "../../protocol.ts";
import { pathOf } from "../api.ts";
import { Loading, Trouble } from "../parts/states.tsx";
import { useResource } from "../resource.ts";
import { ErrorBox } from "../value/error.tsx";
import { Value } from "../value/value.tsx";

/** The value of an event, which is asked for when it is shown. */
export function EventValue(props: {
  readonly runId: string;
  readonly seq: number;
  readonly label: string;
}): JSX.Element {
  const { runId, seq, label } = props;
  const { data, error, reload } = useResource<ValueView>(
    pathOf("value", { id: runId }, { of: "event", seq }),
  );
  const view = data.value;
  if (error.value !== null) return <Trouble message={error.value} onRetry={reload} />;
  if (view === null) return <Loading what={label} />;
  const { value } = view;
  // The error of a step is read as one, not as a tree.
  if (typeof value === "object" && value?.type === "error") return <ErrorBox error={value.error} />;
  return <Value label={label} view={view} source={{ runId, of: "event", seq }} />;
}
