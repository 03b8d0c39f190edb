from .adversarial import (
    Adversary as Adversary,
    AnyAdversary as AnyAdversary,
    Difference as Difference,
    critic_loss as critic_loss,
    feature_matching_loss as feature_matching_loss,
    generator_loss as generator_loss,
    right_shares as right_shares,
    slope_at_real as slope_at_real,
    slope_between as slope_between,
    slope_penalty as slope_penalty,
    wasserstein_critic_loss as wasserstein_critic_loss,
)
from .balance import BalanceSpec as BalanceSpec, LossBalance as LossBalance
from .dice import (
    all_class_dice_loss as all_class_dice_loss,
    dice_and_cross_entropy as dice_and_cross_entropy,
    generalised_dice_loss as generalised_dice_loss,
    mean_dice_loss as mean_dice_loss,
    region_dice_and_cross_entropy as region_dice_and_cross_entropy,
    region_masks as region_masks,
    soft_dice_loss as soft_dice_loss,
    squared_dice_loss as squared_dice_loss,
)
from .perceptual import FeatureNetwork as FeatureNetwork, perceptual_l1 as perceptual_l1, regional_l1 as regional_l1
