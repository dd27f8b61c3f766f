/** Which Pods own an address, for finding collectors that are Pods. Mostly one each; kept small, because every Pod is in it. */

export class AddressOwners<E extends object> {
  private readonly owners = new Map<string, E | E[]>();

  add(address: string, owner: E): void {
    const others = this.of(address);
    this.owners.set(address, others.length === 0 ? owner : [...others, owner]);
  }

  remove(address: string, owner: E): void {
    const others = this.of(address).filter((other) => other !== owner);
    if (others.length === 0) this.owners.delete(address);
    else this.owners.set(address, others.length === 1 ? others[0]! : others);
  }

  of(address: string): readonly E[] {
    const owner = this.owners.get(address);
    if (owner === undefined) return [];
    return Array.isArray(owner) ? owner : [owner];
  }
}
