/** A promise with its handles, never an `unhandledRejection` of the host process when nobody awaits it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Makes a pending {@link Deferred}. */
export function deferred<T>(): Deferred<T> {
  const { promise, resolve, reject } = withResolvers<T>();
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** A rejected promise that nobody has to await. */
export function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return promise;
}

function withResolvers<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}
