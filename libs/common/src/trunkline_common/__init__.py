"""What every Trunkline service shares: contracts, topology, broker, database, telemetry."""
