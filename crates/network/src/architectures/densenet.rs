//! DenseNet-BC: Huang et al. 2017, "Densely connected convolutional networks".

use super::ArchitectureError;
use super::builder::{Builder, Conv, Feature};

/// Three dense blocks of `(depth − 4) / 6` bottleneck layers; 2k channels before them, half of the channels kept between.
pub(super) fn bc(builder: &mut Builder<'_>, depth: usize, growth: usize) -> Result<(), ArchitectureError> {
    let growth = builder.width(growth);
    let image = builder.input();
    let mut x = builder.conv("features.conv0", image, Conv { filters: 2 * growth, kernel: 3, stride: 1 })?;
    for block in 1..=3 {
        for layer in 1..=(depth - 4) / 6 {
            x = dense_layer(builder, &format!("features.denseblock{block}.denselayer{layer}"), x, growth)?;
        }
        if block < 3 {
            x = transition(builder, &format!("features.transition{block}"), x)?;
        }
    }
    let x = builder.batch_norm("features.norm5", x);
    let x = builder.relu("features.relu5", x);
    let x = builder.global_average_pool("avgpool", x);
    builder.linear("classifier", x)
}

/// BatchNorm, ReLU, 1×1 to 4k channels; BatchNorm, ReLU, 3×3 to k channels, put behind those that came in.
fn dense_layer(
    builder: &mut Builder<'_>,
    name: &str,
    input: Feature,
    growth: usize,
) -> Result<Feature, ArchitectureError> {
    let x = builder.batch_norm(&format!("{name}.norm1"), input);
    let x = builder.relu(&format!("{name}.relu1"), x);
    let x = builder.conv(&format!("{name}.conv1"), x, Conv { filters: 4 * growth, kernel: 1, stride: 1 })?;
    let x = builder.batch_norm(&format!("{name}.norm2"), x);
    let x = builder.relu(&format!("{name}.relu2"), x);
    let x = builder.conv(&format!("{name}.conv2"), x, Conv { filters: growth, kernel: 3, stride: 1 })?;
    Ok(builder.concat(&format!("{name}.concat"), input, x))
}

/// BatchNorm, ReLU, 1×1 to half of the channels, 2×2 mean.
fn transition(builder: &mut Builder<'_>, name: &str, x: Feature) -> Result<Feature, ArchitectureError> {
    let filters = (x.channels / 2).max(1);
    let x = builder.batch_norm(&format!("{name}.norm"), x);
    let x = builder.relu(&format!("{name}.relu"), x);
    let x = builder.conv(&format!("{name}.conv"), x, Conv { filters, kernel: 1, stride: 1 })?;
    Ok(builder.average_pool(&format!("{name}.pool"), x))
}
