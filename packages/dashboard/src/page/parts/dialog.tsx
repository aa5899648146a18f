import { type ReadonlySignal, signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { messageOf } from "../api.ts";

/** The one dialog: it asks before anything is changed. Escape and Cancel leave all as it is. */

/** A question. */
export interface Question {
  readonly title: string;
  /** The fields and what there is to know. */
  readonly body: ComponentChildren;
  /** What the button says, such as `Cancel the run`. */
  readonly confirm: string | ReadonlySignal<string>;
  /** What is done cannot be undone. */
  readonly danger?: boolean;
  /** Does it. The dialog closes when it is done, and shows the message of what it throws. `closed` tells work that takes long to stop. */
  readonly act: (form: FormData, closed: AbortSignal) => Promise<void>;
}

const question = signal<Question | null>(null);

/** Asks. */
export function ask(asked: Question): void {
  question.value = asked;
}

export function Dialog(): JSX.Element | null {
  const asked = question.value;
  return asked === null ? null : <OpenDialog key={asked.title} {...asked} />;
}

function OpenDialog({ title, body, confirm, danger = false, act }: Question): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const titleId = useId();
  const [closed] = useState(() => new AbortController());
  useEffect(() => {
    // Where the focus was, it is again: the browser sees to it when a dialog closes that is still in the document.
    dialog.current?.showModal();
  }, []);
  const close = (): void => dialog.current?.close();
  const onSubmit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await act(new FormData(event.target as HTMLFormElement), closed.signal);
      close();
    } catch (thrown) {
      setError(messageOf(thrown));
      setBusy(false);
    }
  };
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby={titleId}
      onClose={() => {
        closed.abort();
        question.value = null;
      }}
    >
      <form onSubmit={onSubmit}>
        <h2 id={titleId}>{title}</h2>
        <div class="dialog-body">{body}</div>
        {error !== null && (
          <p class="field-error" role="alert">
            {error}
          </p>
        )}
        <div class="dialog-buttons">
          <button type="button" class="button" onClick={close}>
            {busy ? "Stop" : "Leave it"}
          </button>
          <button
            type="submit"
            class={`button ${danger ? "button-danger" : "button-primary"}`}
            disabled={busy}
          >
            {busy ? "One moment …" : typeof confirm === "string" ? confirm : confirm.value}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** A text field of a dialog. */
export function Field(props: {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly value?: string;
  /** Several lines of code, such as JSON. */
  readonly code?: boolean;
  readonly required?: boolean;
}): JSX.Element {
  const { name, label, hint, value = "", code = false, required = false } = props;
  const id = useId();
  const hintId = `${id}-hint`;
  const common = { id, name, required, "aria-describedby": hint === undefined ? undefined : hintId };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {code ? (
        <textarea {...common} class="code" rows={6} spellcheck={false} defaultValue={value} />
      ) : (
        <input {...common} type="text" autocomplete="off" defaultValue={value} />
      )}
      {hint !== undefined && (
        <p class="hint" id={hintId}>
          {hint}
        </p>
      )}
    </div>
  );
}

/** One of several, in a dialog. */
export function Choice(props: {
  readonly name: string;
  readonly label: string;
  readonly options: readonly { readonly value: string; readonly label: string; readonly hint?: string }[];
  readonly value: string;
  readonly onChange?: (value: string) => void;
}): JSX.Element {
  const { name, label, options, value, onChange } = props;
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      {options.map((option) => (
        <label key={option.value}>
          <input
            type="radio"
            name={name}
            value={option.value}
            defaultChecked={option.value === value}
            onChange={() => onChange?.(option.value)}
          />
          <span>
            {option.label}
            {option.hint !== undefined && <span class="hint">{option.hint}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
