export function installGuard(_l: unknown): () => void {
  return () => {};
}
export function seededRandom(_s: string): () => number {
  let a = 1;
  return () => {
    a = (a * 16807) % 2147483647;
    return a / 2147483647;
  };
}
