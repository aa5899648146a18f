/** What a kind keeps of a fold, or of the whole store: made when it is first asked for, gone with its owner. */
export function slot<Owner extends object, State>(make: (owner: Owner) => State): (owner: Owner) => State {
  const states = new WeakMap<Owner, State>();
  return (owner) => {
    const known = states.get(owner);
    if (known !== undefined) return known;
    const state = make(owner);
    states.set(owner, state);
    return state;
  };
}
