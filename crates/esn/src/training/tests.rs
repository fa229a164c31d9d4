use super::*;

#[test]
fn means_over_the_iterations() {
    let mut epoch = TrainingNoise::start(&[2.0f32, -1.0, 0.0]).unwrap();
    for weights in [[2.0f32, -2.0, 0.0], [3.0, -1.0, 1.0], [0.0, 0.0, 0.0], [2.0, 0.0, 0.0]] {
        epoch.observe(&weights).unwrap();
    }
    let result = epoch.finish().unwrap();
    let expected = SignalNoise { signal: (8.0 + 11.0 + 0.0 + 4.0) / 4.0, noise: (1.0 + 2.0 + 5.0 + 1.0) / 4.0 };
    assert_eq!(result, TrainingPower { power: expected, iterations: 4, nonzero: 1 });
    assert_eq!(result.esn_a(3), Some(3.0 * (23.0 / 9.0) / 12.0));
}

#[test]
fn weights_that_stay_have_no_number() {
    let mut epoch = TrainingNoise::start(&[1.0f64]).unwrap();
    epoch.observe(&[1.0f64]).unwrap();
    let result = epoch.finish().unwrap();
    assert_eq!((result.power.noise, result.esn_a(1)), (0.0, None));
}

#[test]
fn an_epoch_needs_an_iteration() {
    assert_eq!(TrainingNoise::start(&[1.0f32]).unwrap().finish(), Err(TrainingError::NoSnapshots));
}

#[test]
fn refused_snapshots_are_named_and_count_nothing() {
    assert!(matches!(
        TrainingNoise::start(&[0.0, f32::NAN]),
        Err(TrainingError::NotFinite { snapshot: 0, index: 1, .. })
    ));
    let mut epoch = TrainingNoise::start(&[1.0f64, 1.0]).unwrap();
    epoch.observe(&[2.0, 1.0]).unwrap();
    assert_eq!(epoch.observe(&[1.0f64]), Err(TrainingError::Length { snapshot: 2, expected: 2, found: 1 }));
    let infinite = epoch.observe(&[1.0, f64::INFINITY]);
    assert_eq!(infinite, Err(TrainingError::NotFinite { snapshot: 2, index: 1, value: f64::INFINITY }));
    assert_eq!(epoch.observe(&[1e200f64, 0.0]), Err(TrainingError::Overflow { snapshot: 2 }));
    let result = epoch.finish().unwrap();
    assert_eq!((result.iterations, result.power), (1, SignalNoise { signal: 5.0, noise: 1.0 }));
}

#[test]
fn noise_that_fits_no_number_is_refused() {
    let mut epoch = TrainingNoise::start(&[1e200f64]).unwrap();
    assert_eq!(epoch.observe(&[0.0f64]), Err(TrainingError::Overflow { snapshot: 1 }), "the signal is 0");
}
