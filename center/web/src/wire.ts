// What the center sends: the views of center/views.py and the messages of fusion/wire.py, as far as the page shows them.

export interface Claim {
  site_id: string;
  run_id: string;
  track_number?: number | null;
  sensor_id: string;
  time: string;
  protocol: string;
  transmitter: string;
  agreement: "agrees" | "contradicts" | "not_testable";
  authenticated: boolean;
  identity?: string | null;
  identity_type?: string | null;
  category?: string | null;
  latitude_deg?: number | null;
  longitude_deg?: number | null;
  height_m?: number | null;
  horizontal_sigma_m?: number | null;
  operator_latitude_deg?: number | null;
  operator_longitude_deg?: number | null;
  operator_id?: string | null;
  status?: string | null;
  text?: string | null;
  power_dbm?: number | null;
  distance_sigma?: number | null;
}

export interface Direction {
  sensor_id: string;
  azimuth_deg: number; // clockwise from true north
  azimuth_sigma_deg: number;
  elevation_deg: number | null;
  elevation_sigma_deg: number | null;
  slant_range_m: [number, number]; // 90 % interval
}

export interface Explanation {
  sensor_id: string;
  time: string;
  considered: [number, number][];
  chosen: number | null;
  dissenting: string[];
  should_have_seen: string[];
}

export interface Track {
  site_id: string;
  run_id: string;
  track_number: number;
  revision: number;
  time: string;
  status: "tentative" | "confirmed" | "coasting" | "dropped";
  latitude_deg: number;
  longitude_deg: number;
  height_m: number;
  velocity_enu_m_s: [number, number, number];
  covariance: number[]; // upper triangle by rows, 6 x 6
  existence_probability: number;
  classes: Record<string, number>;
  claims: Claim[];
  sensor_ids: string[];
  last_detection: string;
  direction: Direction | null;
  explanation: Explanation | null;
  group_number?: number | null;
  trail: [number, number][]; // longitude, latitude
}

/** Tracks that move together. */
export interface Group {
  site_id: string;
  run_id: string;
  group_number: number;
  revision: number;
  members: number[];
  count: [number, number]; // 90 % interval
  event: "formed" | "changed" | "merged" | "split" | "ended";
}

/** One object as all posts together see it. */
export interface FusedTrack {
  fused_number: number;
  time: string;
  latitude_deg: number;
  longitude_deg: number;
  height_m: number;
  velocity_enu_m_s: [number, number, number];
  covariance: number[]; // upper triangle by rows, 6 x 6
  existence_probability: number;
  classes: Record<string, number>;
  members: { site_id: string; run_id: string; track_number: number }[];
  by_detections: boolean;
  unconfirmed?: boolean; // the detections of all its posts show no object there
}

export interface Sensor {
  sensor_id: string;
  protocol: string;
  driver: string;
  latitude_deg: number;
  longitude_deg: number;
  height_m: number;
  heading_deg: number;
  pitch_deg: number;
  is_aligned: boolean;
  azimuth_deg: [number, number] | null;
  elevation_deg: [number, number] | null;
  slant_range_m: [number, number] | null;
}

export interface Sight {
  site_id: string;
  state: "sees" | "partly" | "blind" | "hears" | "silent" | "gone" | "unknown";
  seeing: string[];
  not_seeing: string[];
}

export interface Site {
  site_id: string;
  run_id: string;
  latitude_deg: number | null;
  longitude_deg: number | null;
  height_m: number | null;
  sensors: Sensor[];
}

export interface SensorHealth {
  sensor_id: string;
  state: string;
  text: string;
  last_reading: string | null;
  readings: number;
  decoded: Record<string, number>;
  rejected: Record<string, number>;
  dropped: number;
  can_see: boolean;
  sees: boolean;
}

export interface OwnPosition {
  sensor_id: string;
  fix: string;
  latitude_deg: number | null;
  longitude_deg: number | null;
  satellites_used: number | null;
  distance_from_survey_m: number | null;
}

export interface Health {
  site_id: string;
  run_id: string;
  time: string;
  state: string;
  text: string;
  sensors: SensorHealth[];
  own_positions: OwnPosition[];
  clock_trusted: boolean;
  outbox_pending: number;
  memory_mb: Record<string, number>;
  temperature_c: number | null;
}

/** What one sensor told last, as far as it is drawn: cameras' boxes, other systems' tracks, what is there without a place. */
export interface Detections {
  site_id: string;
  sensor_id: string;
  time: string;
  detections: Detection[];
  looked?: { azimuth_deg: number[]; elevation_deg: number[] }[]; // corners of what a camera looked at
}

export interface Detection {
  azimuth_deg?: number | null;
  elevation_deg?: number | null;
  angular_size_deg?: number | null;
  confidence?: number | null;
  classes?: Record<string, number> | null;
  latitude_deg?: number | null;
  longitude_deg?: number | null;
  presence?: string | null; // "spectrum", "motion", "fence", ...
  text?: string | null;
}

export interface Snapshot {
  time: string;
  sites: (Site & { sight: Sight })[];
  tracks: Track[];
  claims: Claim[];
  groups: Group[];
  health: Health[];
  detections: Detections[];
}

export interface Now {
  time: string;
  sight: Sight[];
  silent: string[];
  tracks: [string, string, number][];
  claims: [string, string, string][];
}
